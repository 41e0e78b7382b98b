//! Just enough of a Rust reader to measure functions: what is text or comment is blanked out, then braces are counted.

/// The source with every comment, text and character literal blanked out; lines stay where they are.
pub(crate) fn masked(source: &str) -> String {
    let chars: Vec<char> = source.chars().collect();
    let mut out = String::with_capacity(source.len());
    let mut at = 0;
    while at < chars.len() {
        let end = opaque_end(&chars, at);
        if end == at {
            out.push(chars[at]);
            at += 1;
        } else {
            out.extend(chars[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    out
}

/// The name and the length in lines, from `fn` to the closing brace, of every function with a body.
pub(crate) fn functions(masked: &str) -> Vec<(String, usize)> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut found = Vec::new();
    for (start, _) in masked.match_indices("fn ") {
        if masked[..start].ends_with(is_word) {
            continue;
        }
        let rest = &masked[start..];
        let name: String = rest[3..].trim_start().chars().take_while(|c| is_word(*c)).collect();
        if let Some(length) = body_end(rest).filter(|_| !name.is_empty()) {
            found.push((name, rest[..length].matches('\n').count() + 1));
        }
    }
    found
}

/// Where the comment or literal that begins at `at` ends; `at` itself if none begins there.
fn opaque_end(chars: &[char], at: usize) -> usize {
    let starts = |text: &str| text.chars().enumerate().all(|(i, c)| chars.get(at + i) == Some(&c));
    let part_of_word = at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_');
    if starts("//") {
        return find(chars, at, "\n");
    }
    if starts("/*") {
        return comment_end(chars, at);
    }
    if starts("\"") {
        return quoted_end(chars, at + 1, '"');
    }
    if !part_of_word && (starts("r\"") || starts("r#") || starts("br\"") || starts("br#")) {
        return raw_end(chars, at);
    }
    // `'a'` and `'\n'` are characters, `'a` is a lifetime.
    if starts("'") && (chars.get(at + 1) == Some(&'\\') || chars.get(at + 2) == Some(&'\'')) {
        return quoted_end(chars, at + 1, '\'');
    }
    at
}

/// The end of a raw text such as `r#"…"#`, or the beginning again for a raw identifier such as `r#type`.
fn raw_end(chars: &[char], at: usize) -> usize {
    let mut open = at + usize::from(chars[at] == 'b') + 1;
    let first = open;
    while chars.get(open) == Some(&'#') {
        open += 1;
    }
    if chars.get(open) != Some(&'"') {
        return at;
    }
    let close = format!("\"{}", "#".repeat(open - first));
    (find(chars, open + 1, &close) + close.len()).min(chars.len())
}

/// The end of a block comment; such comments nest.
fn comment_end(chars: &[char], at: usize) -> usize {
    let (mut depth, mut i) = (0usize, at);
    while i < chars.len() {
        match (chars[i], chars.get(i + 1)) {
            ('/', Some('*')) => (depth, i) = (depth + 1, i + 2),
            ('*', Some('/')) if depth == 1 => return i + 2,
            ('*', Some('/')) => (depth, i) = (depth - 1, i + 2),
            _ => i += 1,
        }
    }
    i
}

/// The end of a text or character whose inside begins at `at`.
fn quoted_end(chars: &[char], at: usize, quote: char) -> usize {
    let mut i = at;
    while i < chars.len() && chars[i] != quote {
        i += if chars[i] == '\\' { 2 } else { 1 };
    }
    (i + 1).min(chars.len())
}

/// Where `wanted` next stands, or the end.
fn find(chars: &[char], from: usize, wanted: &str) -> usize {
    let wanted: Vec<char> = wanted.chars().collect();
    let hit = chars.get(from..).and_then(|rest| rest.windows(wanted.len()).position(|window| window == wanted));
    hit.map_or(chars.len(), |offset| from + offset)
}

/// The length in bytes of the function that `rest` begins with; nothing for one without a body.
fn body_end(rest: &str) -> Option<usize> {
    let (mut brackets, mut braces) = (0i32, 0i32);
    for (at, c) in rest.char_indices() {
        match c {
            '(' | '[' => brackets += 1,
            ')' | ']' => brackets -= 1,
            // A semicolon inside brackets belongs to an array's type.
            ';' if brackets == 0 && braces == 0 => return None,
            '{' => braces += 1,
            '}' if braces == 1 => return Some(at + 1),
            '}' => braces -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_comments_are_not_code() {
        let source =
            "let a = \"fn x() {\"; // fn y() {\n/* fn z() { /* } */ */ let c = '{'; let d = r#\"}\"#; let r: &'a u8;";
        let masked = masked(source);
        assert!(!masked.contains(['{', '}']), "{masked}");
        assert!(masked.contains("let r: &'a u8;"), "{masked}");
        assert_eq!(masked.lines().count(), 2);
    }

    #[test]
    fn functions_are_measured_from_the_word_to_the_brace() {
        let source = "fn one() {}\ntrait T { fn none(&self, a: [u8; 2]); }\npub fn four(\n    a: [u8; 2],\n) {\n    if a { b }\n}\n";
        assert_eq!(functions(&masked(source)), [("one".to_owned(), 1), ("four".to_owned(), 5)]);
    }
}
