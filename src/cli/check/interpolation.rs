//! Variables in the values of a Compose file, as Compose replaces them (compose-go `template`): `$$`, `$NAME`, `${NAME}`, `${NAME:-default}`
//! and the like. What is not set is empty.

/// The text with its variables replaced by what `variable` says.
pub(super) fn interpolated(text: &str, variable: &impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('$') {
        out.push_str(before);
        if let Some(behind) = behind.strip_prefix('$') {
            out.push('$');
            rest = behind;
        } else if let Some((inside, behind)) = behind.strip_prefix('{').and_then(braced) {
            out.push_str(&value(inside, variable));
            rest = behind;
        } else {
            let end = behind.find(|c| !is_of_name(c)).unwrap_or(behind.len());
            let (name, behind) = behind.split_at_checked(end).unwrap_or((behind, ""));
            if name.is_empty() {
                out.push('$');
            } else {
                out.push_str(&variable(name).unwrap_or_default());
            }
            rest = behind;
        }
    }
    out + rest
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// What stands before the brace that closes, and behind it.
fn braced(text: &str) -> Option<(&str, &str)> {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => return Some((text.get(..at)?, text.get(at + 1..)?)),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

fn value(inside: &str, variable: &impl Fn(&str) -> Option<String>) -> String {
    let end = inside.find(|c| !is_of_name(c)).unwrap_or(inside.len());
    let (name, operator) = inside.split_at_checked(end).unwrap_or((inside, ""));
    let set = variable(name);
    let filled = set.clone().filter(|value| !value.is_empty());
    let replaced = |text: &str| interpolated(text, variable);
    if let Some(default) = operator.strip_prefix(":-") {
        return filled.unwrap_or_else(|| replaced(default));
    }
    if let Some(default) = operator.strip_prefix('-') {
        return set.unwrap_or_else(|| replaced(default));
    }
    if let Some(instead) = operator.strip_prefix(":+") {
        return filled.map(|_| replaced(instead)).unwrap_or_default();
    }
    if let Some(instead) = operator.strip_prefix('+') {
        return set.map(|_| replaced(instead)).unwrap_or_default();
    }
    set.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: &str) {
        let variable = |name: &str| match name {
            "A" => Some("a".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        assert_eq!(interpolated(text, &variable), want, "{text}");
    }

    #[test]
    fn variables_are_replaced_as_compose_does() {
        check("plain", "plain");
        check("/x$$", "/x$");
        check("$A-${A}", "a-a");
        check("${NONE}", "");
        check("${NONE:-999}", "999");
        check("${EMPTY:-x}${EMPTY-y}", "x");
        check("${A:+yes}${NONE:+no}", "yes");
        check("${A:?needed}", "a");
        check("${NONE:-${A:-b}}", "a");
        check("$", "$");
        check("${A", "${A");
        check("100$ x", "100$ x");
    }
}
