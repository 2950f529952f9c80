//! The request target: parsed once, printed only in canonical form.
//!
//! The Docker daemon routes on the percent-decoded path (gorilla/mux without `UseEncodedPath`), Podman's service on the encoded
//! one, and both tolerate spellings such as `/v1.41./containers/json`. Only a target that has exactly one reading is accepted, and
//! only that reading is ever printed, so what was judged is what is sent.
//!
//! A method and a route that all readers agree on leave room for more names: see [`RequestTarget::parse_for`].

#[cfg(test)]
mod tests;

use std::fmt;
use std::ops::Range;

use super::json::folds_alike;
use super::method::Method;
use super::operation::{self, Operation, Parameter, Reading};

/// A request target in origin-form (RFC 9112 section 3.2.1) that every reader understands alike.
///
// INVARIANT: `RequestTarget::parse_for(method, &t.to_wire())` is `t` again; there is no way back to the client's bytes.
#[derive(Debug, Clone)]
pub struct RequestTarget {
    version: Option<ApiVersion>,
    /// The decoded path as the client meant it, version prefix included: what patterns are matched against.
    decoded: String,
    /// Where in `decoded` the path behind the version prefix begins, in bytes.
    path_start: usize,
    query: Query,
    /// The operation that the path means behind the method that it was read for, so that nobody has to look for it again.
    operation: Option<(Method, Operation)>,
}

/// The operation follows from the rest.
impl PartialEq for RequestTarget {
    fn eq(&self, other: &Self) -> bool {
        let Self { version, decoded, path_start, query, operation: _ } = self;
        (version, decoded, path_start, query)
            == (&other.version, &other.decoded, &other.path_start, &other.query)
    }
}

impl Eq for RequestTarget {}

impl RequestTarget {
    /// Reads a target as it stands on the request line, whatever the method in front of it.
    ///
    /// # Errors
    /// When the target is not in origin-form, or when two readers could understand it differently: encoded separators, dot or empty
    /// segments, control and non-ASCII bytes, an odd or old version prefix, a broken or ambiguous query.
    pub fn parse(raw: &str) -> Result<Self, TargetError> {
        Self::read(raw, None)
    }

    /// Reads a target as it stands on the request line behind this method, and takes more where every reader finds the same route:
    ///
    /// - an encoded slash in the name of an image or a plugin: it becomes a plain one;
    /// - an encoded slash in a name that Podman's own API looks up: it stays encoded, for patterns as well;
    /// - nearly any character in the name of a network or a volume;
    /// - the slash at the end of `GET /networks/`: it is left out;
    /// - a second `dockerfile` of a build: it is left out;
    /// - an API version below [`ApiVersion::OLDEST`] to read or to load images with.
    ///
    /// # Errors
    /// As for [`RequestTarget::parse`] otherwise.
    pub fn parse_for(method: Method, raw: &str) -> Result<Self, TargetError> {
        Self::read(raw, Some(method))
    }

    fn read(raw: &str, method: Option<Method>) -> Result<Self, TargetError> {
        let (raw_path, raw_query) = match raw.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (raw, None),
        };
        if !raw_path.starts_with('/') {
            return Err(TargetError::NotOriginForm);
        }
        let DecodedPath { mut text, slashes, is_odd_name, odd } = decode_path(raw_path)?;
        // The one route that ends in a slash; Docker has the list there as well, Podman has it without only.
        if method == Some(Method::Get) && text.ends_with("/networks/") && slashes.is_empty() {
            let (_, path_start) = split_version(&text)?;
            if text.get(path_start..) == Some("/networks/") {
                text.pop();
            }
        }
        check_segments(&text)?;
        let (version, path_start) = split_version(&text)?;
        let path = text.get(path_start..).unwrap_or_default();
        if let Some(odd) = odd {
            // One in front of the path separates, whatever it was meant to do.
            let slashes: Vec<usize> =
                slashes.iter().map(|at| at.saturating_sub(path_start)).collect();
            let takes_slashes =
                method.is_some_and(|method| operation::takes_slashes(method, path, &slashes));
            let takes_odd_name =
                method.is_some_and(|method| operation::takes_odd_name(method, path));
            let keeps_slashes =
                method.is_some_and(|method| operation::keeps_slashes(method, path, &slashes));
            let takes_slashes = slashes.is_empty() || takes_slashes || keeps_slashes;
            if !takes_slashes || (is_odd_name && !takes_odd_name) {
                return Err(TargetError::AmbiguousByte(odd));
            }
            if keeps_slashes {
                let (version, path) = text.split_at(path_start);
                let is_encoded = |at| slashes.binary_search(&at).is_ok();
                let kept = path.char_indices().map(|(at, c)| (c, is_encoded(at)));
                let mut whole = version.to_owned();
                for (c, is_encoded) in kept {
                    if is_encoded { whole.push_str(ENCODED_SLASH) } else { whole.push(c) }
                }
                text = whole;
            }
        }
        let path = text.get(path_start..).unwrap_or_default();
        if let Some(old) = version.filter(|version| *version < ApiVersion::OLDEST)
            && !is_libpod(path)
            && !method.is_some_and(|method| operation::is_old_but_harmless(method, path))
        {
            return Err(TargetError::VersionTooOld(old));
        }
        let operation = method.map(|method| (method, Operation::find(method, path)));
        let query = raw_query.map_or_else(
            || Ok(Query::default()),
            |raw| {
                let operation = operation.map_or(Operation::Unknown, |(_, operation)| operation);
                Query::parse(raw, Parameters::of(operation, path))
            },
        )?;
        Ok(Self { version, decoded: text, path_start, query, operation })
    }

    /// The API version the client named, if it named one.
    pub fn version(&self) -> Option<ApiVersion> {
        self.version
    }

    /// The decoded path without the version prefix, for example `/containers/json`.
    pub fn path(&self) -> &str {
        self.decoded.get(self.path_start..).unwrap_or_default()
    }

    /// The decoded path with the version prefix the client sent, for example `/v1.41/containers/json`; patterns see this.
    pub fn versioned_path(&self) -> &str {
        &self.decoded
    }

    /// The operation that method and path mean.
    pub(super) fn operation(&self, method: Method) -> Operation {
        match self.operation {
            Some((known, operation)) if known == method => operation,
            _ => Operation::find(method, self.path()),
        }
    }

    /// The query's parameters.
    pub fn query(&self) -> &Query {
        &self.query
    }

    /// Names an object in the path by its full id instead, so that what was looked up and judged is what the engine acts on; `object` is
    /// its place in [`RequestTarget::path`], in bytes. An id is `[0-9a-f]` only, so the path stays canonical; anything else changes nothing.
    pub fn pin(&mut self, object: Range<usize>, id: &str) {
        let place = self.path_start + object.start..self.path_start + object.end;
        if is_id(id) && self.decoded.get(place.clone()).is_some() {
            self.decoded.replace_range(place, id);
        }
    }

    /// The same for an object that a query parameter names.
    pub fn pin_parameter(&mut self, key: &str, id: &str) {
        let mut parameters = self.query.parameters.iter_mut();
        if let Some((_, value)) = parameters.find(|(name, _)| name == key) {
            id.clone_into(value);
        }
    }

    /// The canonical origin-form, the only one that is ever sent.
    pub fn to_wire(&self) -> String {
        let mut wire = String::with_capacity(self.decoded.len() + 16);
        // What is encoded still is an encoded slash.
        let is_plain = if is_libpod(self.path()) { is_libpod_byte } else { is_path_byte };
        encode(&self.decoded, is_plain, &mut wire);
        self.query.write_wire(&mut wire);
        wire
    }
}

impl fmt::Display for RequestTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_wire())
    }
}

/// An API version such as `1.41`; Podman's `libpod` routes use three numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiVersion {
    /// The number before the first dot.
    pub major: u16,
    /// The number behind it.
    pub minor: u16,
    /// A third number, of libpod only.
    pub patch: Option<u16>,
}

impl ApiVersion {
    /// The oldest version that changes anything here, but for loading images. Engines up to 24 let a start with an older version replace
    /// the container's `HostConfig` (moby `api/server/router/container/container_routes.go`, `postContainersStart`).
    pub const OLDEST: Self = Self::new(1, 24);

    /// `major.minor`.
    pub const fn new(major: u16, minor: u16) -> Self {
        Self { major, minor, patch: None }
    }

    /// Reads `1.41`, as in an `Api-Version` field: one or two digits, a dot, one to three digits, no leading zeros.
    pub fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split('.');
        let major = number(numbers.next()?, 2)?;
        let minor = number(numbers.next()?, 3)?;
        let patch = match numbers.next() {
            Some(text) => Some(number(text, 3)?),
            None => None,
        };
        numbers.next().is_none().then_some(Self { major, minor, patch })
    }
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)?;
        self.patch.map_or(Ok(()), |patch| write!(f, ".{patch}"))
    }
}

/// The parameters of a query, decoded, in the order they came.
///
// INVARIANT: a parameter that the engine reads once stands here once, so first and last reading agree.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Query {
    parameters: Vec<(String, String)>,
}

impl fmt::Debug for Query {
    /// The keys alone: secrets travel in values (`buildargs`, `remote`).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.parameters.iter().map(|(key, _)| key)).finish()
    }
}

impl Query {
    /// The value of a parameter that occurs once; the first one of a list.
    pub fn first(&self, key: &str) -> Option<&str> {
        self.parameters.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// Every value of a parameter that the engine reads as a list.
    pub fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.iter().filter(move |(name, _)| *name == key).map(|(_, value)| value)
    }

    /// All parameters, decoded.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.parameters.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Reads a query as Go's `url.ParseQuery` does, and refuses what Go refuses or reads in two ways.
    fn parse(raw: &str, known: Parameters) -> Result<Self, TargetError> {
        let mut parameters: Vec<(String, String)> = Vec::new();
        for pair in raw.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let key = decode_query(key)?;
            let value = decode_query(value)?;
            let reading = known.reading(&key)?;
            let before = parameters.iter().find(|(name, _)| folds_alike(name, &key));
            match (before, reading) {
                (Some((name, _)), _) if *name != key => {
                    return Err(TargetError::AlikeParameters(name.clone(), key));
                }
                (Some(_), Reading::First) => continue,
                (Some(_), Reading::Once | Reading::Json) => {
                    return Err(TargetError::RepeatedParameter(key));
                }
                (None, _) | (Some(_), Reading::List) => {}
            }
            if parameters.len() >= MAX_PARAMETERS {
                return Err(TargetError::TooManyParameters);
            }
            parameters.push((key, value));
        }
        Ok(Self { parameters })
    }

    fn write_wire(&self, wire: &mut String) {
        for (index, (key, value)) in self.parameters.iter().enumerate() {
            wire.push(if index == 0 { '?' } else { '&' });
            encode(key, is_query_byte, wire);
            wire.push('=');
            encode(value, is_query_byte, wire);
        }
    }
}

/// Why a target is refused; each says what to send instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum TargetError {
    #[error(
        "the request target is not a path; send it in origin-form, for example `/v1.41/containers/json`"
    )]
    NotOriginForm,
    #[error(
        "the path holds a broken percent-encoding; send `%` followed by two hexadecimal digits"
    )]
    BrokenEncoding,
    #[error(
        "the path holds `{0}`, which engines read in different ways; name the object by its id instead"
    )]
    AmbiguousByte(String),
    #[error("the path holds an empty segment (`//` or a `/` at the end); send it without")]
    EmptySegment,
    #[error("the path holds a `.` or `..` segment; send the path it leads to")]
    DotSegment,
    #[error("`{0}` is not an API version prefix; use the form `/v1.41`")]
    OddVersion(String),
    #[error("client version {0} is too old; below API version {oldest} only `GET`, `HEAD` and `POST /images/load` are passed on, please use a newer client", oldest = ApiVersion::OLDEST)]
    VersionTooOld(ApiVersion),
    #[error(
        "the query holds a broken percent-encoding; send `%` followed by two hexadecimal digits"
    )]
    BrokenQueryEncoding,
    #[error(
        "the query is not UTF-8 or holds a control byte where none belongs; encode it as UTF-8"
    )]
    QueryNotText,
    #[error("the query holds `;`, which is no separator; use `&`, or send it as `%3B`")]
    SemicolonInQuery,
    #[error("the query parameter `{0}` is given more than once; send it once")]
    RepeatedParameter(String),
    #[error("the query parameter `{0}` is one that engines spell `{1}`; spell it so")]
    OddParameter(String, &'static str),
    #[error(
        "the query parameters `{0}` and `{1}` are one and the same to some engines; send one of them"
    )]
    AlikeParameters(String, String),
    #[error("the query has more than {MAX_PARAMETERS} parameters; send fewer")]
    TooManyParameters,
}

/// The parameters that may come behind this method and on this path.
#[derive(Clone, Copy)]
struct Parameters {
    known: &'static [Parameter],
    /// Those of an operation that we do not know: which of them the engine reads as lists.
    lists: &'static [&'static str],
}

impl Parameters {
    fn of(operation: Operation, path: &str) -> Self {
        /// What Podman's own client sends for several images or containers.
        const PODMAN: &[&str] = &[
            "changes",
            "condition",
            "containers",
            "extrahosts",
            "images",
            "names",
            "namesOrIDs",
            "platform",
            "references",
            "t",
        ];
        let lists = if is_libpod(path) { PODMAN } else { &[] };
        Self { known: operation.parameters(), lists }
    }

    /// How an engine reads this parameter.
    ///
    /// # Errors
    /// When it is one that engines spell in another case: Docker would pass over it and Podman would not.
    fn reading(self, key: &str) -> Result<Reading, TargetError> {
        // No two names of a table fold alike, so the usual case needs no folding.
        if let Some((_, reading)) = self.known.iter().find(|(name, _)| *name == key) {
            return Ok(*reading);
        }
        match self.known.iter().find(|(name, _)| folds_alike(name, key)) {
            Some((name, _)) => Err(TargetError::OddParameter(key.to_owned(), name)),
            None if self.lists.contains(&key) => Ok(Reading::List),
            None => Ok(Reading::Once),
        }
    }
}

const ENCODED_SLASH: &str = "%2F";

/// `docker save` sends one for each image. So few keep the search for repeated ones cheap, and a request smaller than its head may be.
const MAX_PARAMETERS: usize = 512;

/// A path with its percent-encoding taken off, and what of it needs a closer look.
struct DecodedPath {
    text: String,
    /// Where slashes were encoded, in bytes: separators to Docker, and none to Podman.
    slashes: Vec<usize>,
    /// Whether it holds what only the names of networks and volumes do.
    is_odd_name: bool,
    /// The first of all these, as a message shows it.
    odd: Option<String>,
}

fn decode_path(raw: &str) -> Result<DecodedPath, TargetError> {
    let mut decoded = Vec::with_capacity(raw.len());
    let mut slashes = Vec::new();
    let mut is_odd_name = false;
    let mut odd = None;
    let mut bytes = raw.bytes();
    while let Some(byte) = bytes.next() {
        let (byte, encoded) = if byte == b'%' {
            (escaped(&mut bytes).ok_or(TargetError::BrokenEncoding)?, true)
        } else {
            (byte, false)
        };
        // `%25` is a slash or a dot to whoever decodes twice; `?`, `#` and `;` end a path for some readers; `\` is a slash on Windows, and
        // no object of the Engine needs it.
        let is_name_byte = match byte {
            b'%' | b'?' | b';' | 0x80.. => true,
            b'#' => encoded,
            _ => false,
        };
        let is_slash = byte == b'/' && encoded;
        let is_plain = (b' '..=b'~').contains(&byte) && !matches!(byte, b'\\' | b'#');
        let shown = || {
            if byte.is_ascii_graphic() && !encoded {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        };
        if is_slash || is_name_byte {
            odd.get_or_insert_with(shown);
            is_odd_name |= is_name_byte;
            slashes.extend(is_slash.then_some(decoded.len()));
        } else if !is_plain {
            return Err(TargetError::AmbiguousByte(shown()));
        }
        decoded.push(byte);
    }
    let ambiguous = |odd: Option<String>| TargetError::AmbiguousByte(odd.unwrap_or_default());
    let text = match String::from_utf8(decoded) {
        Ok(text) if !text.contains(char::is_control) => text,
        _ => return Err(ambiguous(odd)),
    };
    if changes_when_decoded(&text) {
        return Err(TargetError::AmbiguousByte("%25".to_owned()));
    }
    Ok(DecodedPath { text, slashes, is_odd_name, odd })
}

/// Whether a path that is decoded already holds what would be no part of a name to whoever decodes it again.
fn changes_when_decoded(text: &str) -> bool {
    text.match_indices('%').any(|(at, _)| {
        let mut behind = text.get(at + 1..).unwrap_or_default().bytes();
        escaped(&mut behind).is_some_and(|byte| {
            !byte.is_ascii_alphanumeric() && !matches!(byte, b' ' | b'-' | b'_')
        })
    })
}

fn check_segments(decoded: &str) -> Result<(), TargetError> {
    if decoded == "/" {
        return Ok(());
    }
    for segment in decoded.split('/').skip(1) {
        match segment {
            // Docker answers `//` with a redirect, and `DELETE /containers/` would act on the empty id prefix.
            "" => return Err(TargetError::EmptySegment),
            "." | ".." => return Err(TargetError::DotSegment),
            _ => {}
        }
    }
    Ok(())
}

/// The version and where the path behind it begins. A first segment that starts like a version but is none is refused: the daemon
/// takes `/v1.41./…` and `/v01.41/…` for versions, so a pattern that does not would judge the wrong path.
fn split_version(decoded: &str) -> Result<(Option<ApiVersion>, usize), TargetError> {
    let rest = decoded.strip_prefix('/').unwrap_or(decoded);
    let (segment, behind) = rest.split_once('/').unwrap_or((rest, ""));
    let Some(text) = segment.strip_prefix('v') else { return Ok((None, 0)) };
    if !text.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return Ok((None, 0));
    }
    let odd = || TargetError::OddVersion(segment.to_owned());
    let version = ApiVersion::parse(text).ok_or_else(odd)?;
    let path_start = segment.len() + 1;
    let is_libpod = decoded.get(path_start..).is_some_and(is_libpod);
    if behind.is_empty() || (version.patch.is_some() && !is_libpod) {
        return Err(odd());
    }
    Ok((Some(version), path_start))
}

/// Whether a path without its version is of Podman's own API.
pub(super) fn is_libpod(path: &str) -> bool {
    path == "/libpod" || path.starts_with("/libpod/")
}

fn decode_query(raw: &str) -> Result<String, TargetError> {
    let mut decoded = Vec::with_capacity(raw.len());
    let mut bytes = raw.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b';' => return Err(TargetError::SemicolonInQuery),
            b'%' => escaped(&mut bytes).ok_or(TargetError::BrokenQueryEncoding)?,
            _ => byte,
        });
    }
    let text = String::from_utf8(decoded).map_err(|_| TargetError::QueryNotText)?;
    if text.contains('\0') { Err(TargetError::QueryNotText) } else { Ok(text) }
}

fn escaped(bytes: &mut std::str::Bytes<'_>) -> Option<u8> {
    let high = char::from(bytes.next()?).to_digit(16)?;
    let low = char::from(bytes.next()?).to_digit(16)?;
    u8::try_from(high * 16 + low).ok()
}

fn number(text: &str, most_digits: usize) -> Option<u16> {
    let plain = !text.is_empty()
        && text.len() <= most_digits
        && text.bytes().all(|byte| byte.is_ascii_digit());
    (plain && (text == "0" || !text.starts_with('0'))).then(|| text.parse().ok()).flatten()
}

fn encode(text: &str, plain: fn(u8) -> bool, wire: &mut String) {
    for byte in text.bytes() {
        if plain(byte) {
            wire.push(char::from(byte));
        } else {
            let hex = |nibble: u8| {
                char::from_digit(u32::from(nibble), 16).unwrap_or('0').to_ascii_uppercase()
            };
            wire.extend(['%', hex(byte >> 4), hex(byte & 0xf)]);
        }
    }
}

/// A text that becomes a path segment or a part of one; what separates segments has to be ruled out before.
pub fn encoded(text: &str) -> String {
    let mut wire = String::with_capacity(text.len());
    encode(text, is_path_byte, &mut wire);
    wire
}

fn is_id(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// `pchar` of RFC 3986 section 3.3 without `;` and `%`, and the separator.
const fn is_path_byte(byte: u8) -> bool {
    is_unreserved(byte)
        || matches!(
            byte,
            b'/' | b':'
                | b'@'
                | b'!'
                | b'$'
                | b'&'
                | b'\''
                | b'('
                | b')'
                | b'*'
                | b'+'
                | b','
                | b'='
        )
}

const fn is_libpod_byte(byte: u8) -> bool {
    is_path_byte(byte) || byte == b'%'
}

/// What Go's `url.QueryEscape` leaves alone: the narrowest set, understood by every reader.
const fn is_query_byte(byte: u8) -> bool {
    is_unreserved(byte)
}
