//! Targets compared: two spellings of one address are one target.

/// The form in which targets are compared: trimmed, without scheme, `www.` and trailing slashes, the host in lower case.
///
/// The path keeps its case, for many platforms tell `/AbC` from `/abc`.
pub fn normalise(target: &str) -> String {
    let trimmed = target.trim();
    let rest = match trimmed.split_once("://") {
        Some((scheme, rest))
            if scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.')) =>
        {
            rest
        }
        _ => trimmed,
    };
    let (host, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let host = host.to_lowercase();
    let host = host.strip_prefix("www.").unwrap_or(&host);
    format!("{host}{path}").trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::normalise;

    #[test]
    fn spellings_of_one_target_agree() {
        for same in [
            "https://www.Example.com/User/",
            "http://example.com/User",
            "  EXAMPLE.com/User// ",
            "www.example.com/User",
        ] {
            assert_eq!(normalise(same), "example.com/User", "{same}");
        }
        assert_ne!(normalise("example.com/user"), normalise("example.com/User"));
        assert_eq!(normalise("https://a.example?x=Y"), "a.example?x=Y");
        assert_eq!(normalise("@Channel"), "@channel");
    }

    proptest! {
        #[test]
        fn scheme_and_slash_never_matter(path in "[a-zA-Z0-9/_]{0,20}") {
            let plain = normalise(&format!("example.com/{path}"));
            let dressed = normalise(&format!("https://www.EXAMPLE.com/{path}/"));
            prop_assert_eq!(plain, dressed);
        }
    }
}
