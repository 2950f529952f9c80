//! What the value of a setting means. Each function takes one value as it was written and says what would have been right.

use std::ffi::OsStr;
use std::net::{IpAddr, Ipv6Addr};
use std::ops::RangeInclusive;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use tracing::Level;

use crate::admission::AllowFrom;
use crate::registry::OwnContainer;
use crate::rule::HostAccess;
use crate::rule::words::{self, Exceptions, WordMistake};
use crate::rule::{AnchoredRegex, Origin, truth};

use super::given::Given;
use super::mistake::{Problem, printable};

/// What Go's `strconv.ParseBool` takes.
pub(super) fn switch(given: &Given) -> Result<bool, Problem> {
    truth(text(given)?).ok_or_else(|| "is not a truth value; give `true` or `false`".into())
}

/// A TCP port.
pub(super) fn port(given: &Given) -> Result<u16, Problem> {
    let port =
        whole_number(given, 1..=u64::from(u16::MAX)).and_then(|port| u16::try_from(port).ok());
    port.ok_or_else(|| "is not a port; give a whole number from 1 to 65535".into())
}

/// A time in whole seconds, at most 2^32 - 1 of them, which is what socket-proxy reads from a variable.
pub(super) fn seconds(given: &Given) -> Result<Duration, Problem> {
    let seconds = whole_number(given, 0..=u64::from(u32::MAX)).map(Duration::from_secs);
    seconds.ok_or_else(|| {
        "is not a time in seconds; give a whole number from 0 to 4294967295, without a unit".into()
    })
}

/// A limit, as a whole number within its range.
pub(super) fn limit(given: &Given, range: RangeInclusive<u64>) -> Result<usize, Problem> {
    let (least, most) = (*range.start(), *range.end());
    let number = whole_number(given, range).and_then(|number| usize::try_from(number).ok());
    number.ok_or_else(|| {
        format!("is not a limit; give a whole number from {least} to {most}, without a unit").into()
    })
}

/// A limit on a time, in whole seconds from 1 to an hour's.
pub(super) fn time_limit(given: &Given) -> Result<Duration, Problem> {
    whole_number(given, 1..=3600).map(Duration::from_secs).ok_or_else(|| {
        "is not a time limit; give a whole number of seconds from 1 to 3600, without a unit".into()
    })
}

/// Permission bits. A variable is octal in any case; a flag is a number as Go writes it, so that `600` is decimal and out of range.
///
/// YAML reads an unquoted `0660` as a number and hands on `432`, whose bits would let every local user in. Every octal mode from `0600` to
/// `0777`, written as a decimal number and read as octal again, has an owner who may not read and write, or is no octal number.
pub(super) fn file_mode(given: &Given) -> Result<u32, Problem> {
    const OCTAL: &str = "is not a file mode; give it in octal, from `0600` to `0777`";
    const CURE: &str = "; give for example `0600`, `0660` or `0666`";
    let text = given.value.to_str().ok_or(OCTAL)?;
    let is_flag = matches!(given.origin, Origin::Flag(_));
    let number =
        if is_flag { go_number(text) } else { digits(text.strip_prefix("0o").unwrap_or(text), 8) };
    let mode = number.and_then(|mode| u32::try_from(mode).ok()).filter(|mode| *mode <= 0o777);
    let problem = match mode {
        Some(mode) => match lopsided(mode) {
            None => return Ok(mode),
            Some(problem) => format!("means mode {mode:04o}, {problem}"),
        },
        None if number.is_some() && is_octal_without_zero(text) => {
            return Err(
                format!("is read as a decimal number, beyond `0777`; write `0{text}`").into()
            );
        }
        None => OCTAL.to_owned(),
    };
    let meant = digits(text, 10).and_then(|meant| u32::try_from(meant).ok());
    let meant = meant
        .filter(|meant| !is_flag && (0o600..=0o777).contains(meant) && lopsided(*meant).is_none());
    Err(match (meant, mode) {
        (Some(meant), _) => format!(
            "{}; probably YAML read an unquoted `{meant:04o}` as a number: write `\"{meant:04o}\"`, in quotes",
            if mode.is_some() { problem.as_str() } else { "is not an octal file mode" }
        ),
        (None, Some(_)) => problem + CURE,
        (None, None) => problem,
    }
    .into())
}

/// What is wrong with a mode that is not for the socket of a proxy.
fn lopsided(mode: u32) -> Option<&'static str> {
    let (owner, group, others) = (mode >> 6, mode >> 3 & 7, mode & 7);
    if owner & 6 != 6 {
        Some("which does not let its owner read and write")
    } else if (group | others) & !owner != 0 {
        Some("which gives others what its owner lacks")
    } else {
        None
    }
}

/// Whether this is a number that reads like permission bits and is decimal to Go, for want of a leading 0.
pub(super) fn is_octal_without_zero(text: &str) -> bool {
    text.len() == 3 && !text.starts_with('0') && digits(text, 8).is_some()
}

/// A level, in any case.
pub(super) fn level(given: &Given) -> Result<Level, Problem> {
    let levels = [Level::DEBUG, Level::INFO, Level::WARN, Level::ERROR];
    let level = given.value.to_str().and_then(|text| {
        levels.into_iter().find(|level| level.as_str().eq_ignore_ascii_case(text))
    });
    level.ok_or_else(|| "is not a log level; give `DEBUG`, `INFO`, `WARN` or `ERROR`".into())
}

/// An address to listen on. IPv6 may stand in brackets, as it does in a URL.
pub(super) fn address(given: &Given) -> Result<IpAddr, Problem> {
    let text = text(given)?;
    let bracketed = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let address = match bracketed {
        Some(inner) => inner.parse::<Ipv6Addr>().map(IpAddr::V6).ok(),
        None => text.parse::<IpAddr>().ok(),
    };
    address.map(|address| address.to_canonical()).ok_or_else(|| {
        "is not an IP address; give for example `127.0.0.1`, `0.0.0.0` or `::`".into()
    })
}

/// Who may connect: addresses, networks and host names with commas between them.
pub(super) fn clients(given: &Given) -> Result<Vec<AllowFrom>, Problem> {
    text(given)?.split(',').map(client).collect()
}

/// Directories with commas between them, absolute and without `..`, so that being inside one is a question of the text alone.
pub(super) fn directories(given: &Given) -> Result<Option<Vec<PathBuf>>, Problem> {
    text(given)?.split(',').map(directory).collect::<Result<Vec<_>, _>>().map(Some)
}

/// The path of a Unix socket: what fits into `sun_path` with its closing NUL (unix(7)), and is no URL and no abstract name.
pub(super) fn socket_path(given: &Given) -> Result<PathBuf, Problem> {
    const LONGEST_BYTES: usize = 107;
    let bytes = given.value.as_bytes();
    let is_url = bytes.windows(3).any(|part| part == b"://");
    if bytes.is_empty()
        || bytes.len() > LONGEST_BYTES
        || bytes.contains(&0)
        || bytes.starts_with(b"@")
        || is_url
    {
        return Err(
            "is not the path of a socket; give a file path of at most 107 bytes, without `unix://`"
                .into(),
        );
    }
    Ok(PathBuf::from(&given.value))
}

/// The same, or nothing: an empty flag is how a variable is switched off from the command line.
pub(super) fn socket_path_or_none(given: &Given) -> Result<Option<PathBuf>, Problem> {
    if given.value.is_empty() { Ok(None) } else { socket_path(given).map(Some) }
}

/// A name the engine would accept (moby `daemon/names`, `RestrictedNameChars`), an id, or `auto`; empty is nothing.
pub(super) fn own_container(given: &Given) -> Result<Option<OwnContainer>, Problem> {
    match given.value.to_str() {
        Some("") => Ok(None),
        Some("auto") => Ok(Some(OwnContainer::Auto)),
        Some(name) if begins_alphanumeric(name) && consists_of(name, "_.-") => {
            Ok(Some(OwnContainer::Named(name.to_owned())))
        }
        _ => {
            Err("is not the name or id of a container; give what `docker ps` shows, or `auto`"
                .into())
        }
    }
}

/// `deny` or `allow`, in any case.
pub(super) fn host_access(given: &Given) -> Result<(HostAccess, Exceptions), Problem> {
    let text = text(given)?;
    words::host_access(text).map_err(|mistakes| {
        if text.contains([':', ',']) {
            return in_words(&mistakes);
        }
        "is neither `deny` nor `allow`; give one of them".into()
    })
}

/// What is wrong with words, in one line.
pub(super) fn in_words(mistakes: &[WordMistake]) -> Problem {
    if let [WordMistake::Empty] = mistakes {
        return "says nothing; write what is meant, or leave it out".into();
    }
    let all: Vec<_> = mistakes.iter().map(ToString::to_string).collect();
    format!("has a mistake: {}", all.join("; ")).into()
}

/// What stands before `.allow.` in the key of a label; it takes the place of all the prefixes we would read by default.
pub(super) fn label_prefixes(given: &Given) -> Result<Vec<String>, Problem> {
    let prefix = given.value.to_str().unwrap_or_default();
    let ends_well = prefix.ends_with(|end: char| end.is_ascii_alphanumeric());
    if begins_alphanumeric(prefix) && ends_well && consists_of(prefix, "._-/") {
        return Ok(vec![prefix.to_owned()]);
    }
    Err("is not a label prefix; use letters, digits, `.`, `-`, `_` and `/`, a letter or digit first and last".into())
}

/// A pattern for whole paths.
pub(super) fn pattern(given: &Given) -> Result<AnchoredRegex, Problem> {
    let text = text(given)?;
    if text.is_empty() {
        return Err("is not a pattern; give for example `/v1[.][0-9]+/version`, or leave it out to allow nothing".into());
    }
    AnchoredRegex::new(text).map_err(|error| {
        let reason = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
        format!("is not a pattern: {}", printable(OsStr::new(&reason))).into()
    })
}

pub(super) fn text(given: &Given) -> Result<&str, Problem> {
    given.value.to_str().ok_or_else(|| "is not text in UTF-8".into())
}

fn client(entry: &str) -> Result<AllowFrom, Problem> {
    let entry = entry.trim();
    let net = match entry.split_once('/') {
        Some((address, bits)) => network(address, bits),
        None => entry.parse().ok().map(|address: IpAddr| IpNet::from(address.to_canonical())),
    };
    match net {
        Some(net) => Ok(AllowFrom::Net(net)),
        None if is_host_name(entry) => Ok(AllowFrom::Host(entry.to_owned())),
        None => Err(Problem::with(
            entry,
            "is not an IP address, a network or a host name; give for example `172.18.0.2`, `172.16.0.0/12` or `traefik`, with commas between entries",
        )),
    }
}

/// As Go's `net.ParseCIDR`, host bits are cut off; as its `IPNet.Contains`, an IPv4 network may be written in IPv6.
fn network(address: &str, bits: &str) -> Option<IpNet> {
    const MAPPED_BITS: u8 = 96; // RFC 4291 section 2.5.5.2
    let bits = digits(bits, 10).and_then(|bits| u8::try_from(bits).ok())?;
    let net = IpNet::new(address.parse().ok()?, bits).ok()?.trunc();
    match (net.addr().to_canonical(), bits.checked_sub(MAPPED_BITS)) {
        (address @ IpAddr::V4(_), Some(bits)) if net.addr().is_ipv6() => {
            IpNet::new(address, bits).ok()
        }
        _ => Some(net),
    }
}

/// RFC 1123 section 2.1, with `_` because Docker gives such names to services. A name that ends in a number is none: getaddrinfo(3)
/// would read `10.1` or `0x7f.1` as an address (URL standard, "ends in a number"), and so it is a mistyped one.
fn is_host_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && consists_of(label, "-_")
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last = name.rsplit('.').next().unwrap_or_default();
    let hex = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit())
        || hex.is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
    name.len() <= 253 && name.split('.').all(is_label) && !is_number
}

fn directory(entry: &str) -> Result<PathBuf, Problem> {
    let entry = entry.trim();
    let path = Path::new(entry);
    if path.is_absolute() && !path.components().any(|part| part == Component::ParentDir) {
        // Taking it apart and together again drops `//`, `/./` and a closing `/`.
        return Ok(path.components().collect());
    }
    Err(Problem::with(
        entry,
        "is not an absolute directory without `..`; give for example `/srv/data`, with commas between entries",
    ))
}

fn begins_alphanumeric(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphanumeric())
}

fn consists_of(name: &str, besides_alphanumeric: &str) -> bool {
    name.chars()
        .all(|letter| letter.is_ascii_alphanumeric() || besides_alphanumeric.contains(letter))
}

/// A variable is decimal; a flag is what Go's `flag.UintVar` takes.
fn whole_number(given: &Given, range: RangeInclusive<u64>) -> Option<u64> {
    let text = given.value.to_str()?;
    let number =
        if matches!(given.origin, Origin::Flag(_)) { go_number(text) } else { digits(text, 10) };
    number.filter(|number| range.contains(number))
}

/// Go's `strconv.ParseUint` with base 0: `0b`, `0o`, `0` and `0x` give the base, and `_` may stand between digits and after the base.
fn go_number(text: &str) -> Option<u64> {
    let (base, prefix_bytes) = match text.as_bytes() {
        [b'0', b'b' | b'B', ..] => (2, 2),
        [b'0', b'o' | b'O', ..] => (8, 2),
        [b'0', b'x' | b'X', ..] => (16, 2),
        [b'0', _, ..] => (8, 1),
        _ => (10, 0),
    };
    let rest = text.get(prefix_bytes..)?;
    let rest = if prefix_bytes == 0 { rest } else { rest.strip_prefix('_').unwrap_or(rest) };
    if rest.split('_').any(str::is_empty) {
        return None;
    }
    digits(&rest.replace('_', ""), base)
}

/// Digits and nothing else: Rust's own parser would also take a sign.
fn digits(text: &str, base: u32) -> Option<u64> {
    text.chars()
        .all(|digit| digit.is_digit(base))
        .then(|| u64::from_str_radix(text, base).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_number(text: &str, want: Option<u64>) {
        assert_eq!(go_number(text), want, "{text}");
    }

    /// Every expectation here is what `strconv.ParseUint(text, 0, 64)` of Go 1.26 answered.
    #[test]
    fn numbers_are_go_s() {
        check_number("384", Some(384));
        check_number("0", Some(0));
        check_number("0600", Some(0o600));
        check_number("0o600", Some(0o600));
        check_number("0O600", Some(0o600));
        check_number("0x180", Some(384));
        check_number("0XfF", Some(255));
        check_number("0b11", Some(3));
        check_number("1_000", Some(1000));
        check_number("0_600", Some(0o600));
        check_number("0x_ff", Some(255));
        for wrong in [
            "", "+1", "-1", " 1", "1 ", "08", "0o8", "0x", "0b", "0b2", "_1", "1_", "1__0", "0__1",
            "ff", "1e3", "é", "0é",
        ] {
            check_number(wrong, None);
        }
        check_number("18446744073709551615", Some(u64::MAX));
        check_number("18446744073709551616", None);
    }

    #[track_caller]
    fn check_client(entry: &str, want: Option<&str>) {
        assert_eq!(client(entry).ok().map(|client| client.to_string()).as_deref(), want, "{entry}");
    }

    #[test]
    fn addresses_and_networks_have_one_spelling() {
        check_client("127.0.0.1", Some("127.0.0.1/32"));
        check_client("10.1.2.3/8", Some("10.0.0.0/8"));
        check_client("10.1.2.3/08", Some("10.0.0.0/8"));
        check_client("::ffff:10.1.2.3", Some("10.1.2.3/32"));
        check_client("::ffff:10.1.2.3/104", Some("10.0.0.0/8"));
        check_client("::ffff:10.1.2.3/96", Some("0.0.0.0/0"));
        check_client("::ffff:10.1.2.3/40", Some("::/40"));
        check_client("2001:DB8::1/32", Some("2001:db8::/32"));
        check_client(" ::1 ", Some("::1/128"));
        for wrong in [
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/",
            "/8",
            "10.0.0.0/+8",
            "10.0.0.0/255.0.0.0",
            "10.0.0.0/8/8",
            "traefik/8",
        ] {
            check_client(wrong, None);
        }
    }

    #[test]
    fn host_names_are_not_mistyped_addresses() {
        check_client("traefik", Some("traefik"));
        check_client("my_stack_traefik.1.web", Some("my_stack_traefik.1.web"));
        check_client("3com.example.", Some("3com.example."));
        check_client("4f2d9c1b7a60", Some("4f2d9c1b7a60"));
        for wrong in [
            "",
            ".",
            "a..b",
            "-a",
            "a-",
            "a b",
            "tcp://a",
            "a:80",
            "[::1]",
            "fe80::1%eth0",
            "*",
            "bücher.example",
        ] {
            check_client(wrong, None);
        }
        for wrong in
            ["10.0.0.256", "10.1", "1", "0x7f.1", "a.0x7f", "127.0.0.01", "99999999999999999999999"]
        {
            check_client(wrong, None);
        }
        check_client(&"a".repeat(63), Some(&"a".repeat(63)));
        check_client(&"a".repeat(64), None);
        check_client(&["abcdefghi"; 26].join("."), None);
    }

    #[test]
    fn directories_are_cleaned() {
        assert_eq!(directory("//srv/./data/").unwrap(), Path::new("/srv/data"));
        assert_eq!(directory("//srv/./data/").unwrap().as_os_str(), "/srv/data");
        assert_eq!(directory("/").unwrap().as_os_str(), "/");
        assert!(directory("/srv/../etc").is_err());
        assert!(directory("srv").is_err());
        assert!(directory("").is_err());
    }
}
