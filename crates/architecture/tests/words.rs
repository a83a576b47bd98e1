//! Rust code as words, without comments, strings and test code.

/// Names, `::`, and every other character of punctuation by itself.
pub fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let name = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let skipped = if first.is_whitespace() {
            Some(first.len_utf8())
        } else if rest.starts_with("//") {
            Some(until(rest, "\n"))
        } else if rest.starts_with("/*") {
            Some(until(rest, "*/"))
        } else {
            literal(rest)
        };
        let length = if rest.starts_with("::") { 2 } else { name.max(first.len_utf8()) };
        let (word, after) = rest.split_at(skipped.unwrap_or(length));
        if skipped.is_none() {
            words.push(word);
        }
        rest = after;
    }
    words
}

/// The length up to `end`, with it.
fn until(text: &str, end: &str) -> usize {
    text.find(end).map_or(text.len(), |at| at + end.len())
}

/// The length of the string or character that `text` begins with; of a lifetime, its quote; of a
/// raw name, its `r#`.
fn literal(text: &str) -> Option<usize> {
    if let Some(prefix) = ["br", "cr", "r"].into_iter().find(|prefix| text.starts_with(prefix)) {
        let after = text[prefix.len()..].trim_start_matches('#');
        let hashes = text.len() - prefix.len() - after.len();
        return match after.strip_prefix('"') {
            Some(inside) => {
                let end = "\"".to_owned() + &"#".repeat(hashes);
                Some(text.len() - inside.len() + until(inside, &end))
            }
            None => (hashes == 1).then_some(2),
        };
    }
    let mut inside = text.chars().skip(1);
    match (text.as_bytes()[0], inside.next()?, inside.next()) {
        (b'"', ..) => {
            let mut at = 1;
            while at < text.len() && text.as_bytes()[at] != b'"' {
                at += if text.as_bytes()[at] == b'\\' { 2 } else { 1 };
            }
            Some(at + 1)
        }
        (b'\'', '\\', _) => Some(3 + until(&text[3..], "'")), // also `'\''`
        (b'\'', c, Some('\'')) => Some(2 + c.len_utf8()),
        (b'\'', ..) => Some(1),
        _ => None,
    }
}

/// `words` without what `#[test]` or a `#[cfg(...)]` keeps for tests.
pub fn without_tests<'a>(words: &[&'a str]) -> Vec<&'a str> {
    let mut kept = Vec::new();
    let mut at = 0;
    while at < words.len() {
        let part = &words[at..at + attribute(&words[at..]).max(1)];
        at += part.len();
        match part {
            ["#", "!", ..] if is_test(part) => return Vec::new(),
            _ if is_test(part) => at += item(&words[at..]),
            _ => kept.extend(part),
        }
    }
    kept
}

fn is_test(attribute: &[&str]) -> bool {
    let has = |word| attribute.contains(&word);
    has("test") && (attribute.len() == 4 || has("cfg") && !has("not") && !has("any"))
}

/// The length of the attribute that `words` begin with, 0 without one.
fn attribute(words: &[&str]) -> usize {
    match words {
        ["#", "[", ..] => 1 + block(&words[1..]),
        ["#", "!", "[", ..] => 2 + block(&words[2..]),
        _ => 0,
    }
}

/// The length of a block, from its opening bracket to the closing one.
pub fn block(words: &[&str]) -> usize {
    let mut depth = 0;
    for (at, word) in words.iter().enumerate() {
        match *word {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    words.len()
}

/// The length of the item or statement that `words` begin with, with its further attributes.
fn item(words: &[&str]) -> usize {
    let mut is_use = false;
    let mut at = 0;
    while let Some(word) = words.get(at) {
        is_use |= *word == "use";
        match *word {
            ";" => return at + 1,
            ")" | "]" | "}" => return at,
            "{" if !is_use => return at + block(&words[at..]),
            _ => at += block(&words[at..]),
        }
    }
    at
}
