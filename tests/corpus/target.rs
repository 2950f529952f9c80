//! A request target that is accepted has one reading: the naive one below. What is printed of it is read again as the same target.

use sockwarden::request::RequestTarget;

pub(crate) fn check(input: &[u8]) {
    let Ok(raw) = std::str::from_utf8(input) else { return };
    let Ok(target) = RequestTarget::parse(raw) else { return };
    let wire = target.to_wire();
    assert!(wire.bytes().all(|byte| byte.is_ascii_graphic()), "{wire:?}");
    assert_eq!(RequestTarget::parse(&wire).as_ref(), Ok(&target), "{wire}");
    for text in [raw, &wire] {
        let (path, query) = text.split_once('?').unwrap_or((text, ""));
        assert_eq!(decode(path, false), target.versioned_path().as_bytes(), "{text:?}");
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let pairs: Vec<_> =
            pairs.map(|(key, value)| (decode(key, true), decode(value, true))).collect();
        let read = target.query().iter().map(|(key, value)| (key.into(), value.into()));
        assert_eq!(pairs, read.collect::<Vec<(Vec<u8>, Vec<u8>)>>(), "{text:?}");
    }
    let version = target.version().map_or_else(String::new, |version| format!("/v{version}"));
    assert_eq!(target.versioned_path(), version + target.path());
    assert!(target.path().starts_with('/'), "{target}");
    for segment in target.versioned_path().split('/').skip(1) {
        let is_root = target.versioned_path() == "/";
        assert!(is_root || !matches!(segment, "" | "." | ".."), "{target}");
        let plain = |byte: u8| (b' '..=b'~').contains(&byte) && !b"/%\\?#;".contains(&byte);
        assert!(segment.bytes().all(plain), "{target}");
    }
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
