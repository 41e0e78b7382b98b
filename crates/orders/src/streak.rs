//! Work that is tried again and again logs a failure that lasts once, and not at every try.

/// Whether the last try failed.
#[derive(Debug, Default)]
pub(crate) struct Streak {
    failing: bool,
}

impl Streak {
    /// What went wrong, if the try before went well: the one failure of a row that is told.
    pub(crate) fn begins<'a, T, E>(&mut self, tried: &'a Result<T, E>) -> Option<&'a E> {
        let before = std::mem::replace(&mut self.failing, tried.is_err());
        tried.as_ref().err().filter(|_| !before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_of_failures_is_told_once() {
        let mut streak = Streak::default();
        let tries = [Ok(()), Err("a"), Err("b"), Ok(()), Ok(()), Err("c"), Err("d")];
        let told: Vec<&str> = tries.iter().filter_map(|tried| streak.begins(tried)).copied().collect();
        assert_eq!(told, ["a", "c"]);
    }
}
