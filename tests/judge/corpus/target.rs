//! A request target that is accepted has one reading: the naive one below. What is printed of it is read again as the same target.

use sockwarden::request::{Method, RequestTarget};

pub(crate) fn check(input: &[u8]) {
    let Ok(raw) = std::str::from_utf8(input) else { return };
    if let Ok(target) = RequestTarget::parse(raw) {
        // What has one reading whatever the method has it for every method.
        for method in Method::ALL {
            // It may know a parameter that is spelled otherwise, or read one value of two.
            let with_query = raw.contains('?');
            let read = RequestTarget::parse_for(method, raw);
            assert!(read.as_ref() == Ok(&target) || with_query, "{method} {raw} {read:?}");
        }
        let wire = target.to_wire();
        assert_eq!(RequestTarget::parse(&wire).as_ref(), Ok(&target), "{wire}");
    }
    for method in Method::ALL {
        check_for(method, raw);
    }
}

fn check_for(method: Method, raw: &str) {
    let Ok(target) = RequestTarget::parse_for(method, raw) else { return };
    let wire = target.to_wire();
    assert!(wire.bytes().all(|byte| byte.is_ascii_graphic()), "{wire:?}");
    assert_eq!(RequestTarget::parse_for(method, &wire).as_ref(), Ok(&target), "{method} {wire}");
    for text in [raw, &wire] {
        let (path, query) = text.split_once('?').unwrap_or((text, ""));
        let mut decoded = decode(path, false);
        if method == Method::Get && decoded.ends_with(b"/networks/") {
            decoded.pop();
        }
        let mut read = target.versioned_path().to_owned();
        if target.path().starts_with("/libpod/") {
            // What is one segment to Podman stays one.
            read = read.replace("%2F", "/");
        }
        assert_eq!(decoded, read.as_bytes(), "{text:?}");
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let mut pairs: Vec<_> =
            pairs.map(|(key, value)| (decode(key, true), decode(value, true))).collect();
        if method == Method::Post && target.path() == "/build" {
            // The first Dockerfile is the one that counts.
            let mut had_one = false;
            pairs.retain(|(key, _)| key != b"dockerfile" || !std::mem::replace(&mut had_one, true));
        }
        let read = target.query().iter().map(|(key, value)| (key.into(), value.into()));
        assert_eq!(pairs, read.collect::<Vec<(Vec<u8>, Vec<u8>)>>(), "{text:?}");
    }
    let version = target.version().map_or_else(String::new, |version| format!("/v{version}"));
    assert_eq!(target.versioned_path(), version + target.path());
    assert!(target.path().starts_with('/'), "{target}");
    let named = ["/networks/", "/volumes/"].iter().any(|it| target.path().starts_with(it));
    let path = target.versioned_path().to_owned();
    let path = if target.path().starts_with("/libpod/") { path.replace("%2F", "_") } else { path };
    for segment in path.split('/').skip(1) {
        let is_root = target.versioned_path() == "/";
        assert!(is_root || !matches!(segment, "" | "." | ".."), "{target}");
        let is_plain = |c: char| match c {
            '\\' => false,
            '%' | '?' | '#' | ';' => named,
            c => (' '..='~').contains(&c) || (named && !c.is_ascii() && !c.is_control()),
        };
        assert!(segment.chars().all(is_plain), "{target}");
        // Nor does another decoding make another path of it.
        let again = decode_if_possible(segment);
        assert!(!again.iter().any(|byte| b"/\\\0\r\n".contains(byte)), "{target}");
        assert!(again != b"." && again != b"..", "{target}");
    }
    // An encoded slash is one only where the name takes plain ones, and changes no route.
    let encoded_slash = raw.split('?').next().unwrap().to_ascii_lowercase().contains("%2f");
    let takes = ["/images/", "/plugins/", "/distribution/", "/libpod/"];
    assert!(!encoded_slash || takes.iter().any(|it| target.path().starts_with(it)), "{raw}");
}

/// As a reader that decodes again, and leaves what is no encoding as it is.
fn decode_if_possible(text: &str) -> Vec<u8> {
    let mut decoded = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        let digits =
            behind.get(..2).filter(|it| first == b'%' && it.iter().all(u8::is_ascii_hexdigit));
        if let Some(digits) = digits {
            let digits = std::str::from_utf8(digits).unwrap();
            decoded.push(u8::from_str_radix(digits, 16).unwrap());
            rest = &behind[2..];
        } else {
            decoded.push(first);
            rest = behind;
        }
    }
    decoded
}

fn decode(text: &str, plus_is_space: bool) -> Vec<u8> {
    let mut decoded = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        rest = behind;
        decoded.push(match first {
            b'+' if plus_is_space => b' ',
            b'%' => {
                let (digits, behind) = rest.split_at(2);
                rest = behind;
                u8::from_str_radix(std::str::from_utf8(digits).unwrap(), 16).unwrap()
            }
            other => other,
        });
    }
    decoded
}
