//! What the program is told to allow, and, apart from it, what this program expects of every request. The two are written twice on
//! purpose: a mistake in one of them shows.

/// The allowlist as flags.
pub(crate) const FLAGS: &[&str] = &[
    r"-allowGET=(/v1[.][0-9]+)?/(info|events|containers/json|containers/[a-z-]+/(json|export))",
    r"-allowPOST=(/v1[.][0-9]+)?/(images/load|containers/[a-z]+/(kill|attach))",
];

/// Whether the engine may see this request.
pub(crate) fn may(method: &str, target: &str) -> bool {
    let path = target.split('?').next().unwrap_or_default();
    let mut parts: Vec<&str> = path.split('/').skip(1).collect();
    let is_version = |part: &&str| {
        part.strip_prefix("v1.").is_some_and(|minor| {
            !minor.is_empty() && minor.bytes().all(|byte| byte.is_ascii_digit())
        })
    };
    if parts.first().is_some_and(is_version) {
        parts.remove(0);
    }
    let is_name = |name: &str, extra: bool| {
        !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_lowercase() || (extra && byte == b'-'))
    };
    match (method, parts.as_slice()) {
        ("GET" | "HEAD", ["_ping"])
        | ("GET", ["info" | "events"])
        | ("GET", ["containers", "json"]) => true,
        ("GET", ["containers", name, "json" | "export"]) => is_name(name, true),
        ("POST", ["images", "load"]) => true,
        ("POST", ["containers", name, "kill" | "attach"]) => is_name(name, false),
        _ => false,
    }
}

/// Requests that must be refused, whatever follows them.
pub(crate) const FORBIDDEN: &[(&str, &str)] = &[
    ("DELETE", "/containers/app"),
    ("POST", "/containers/create"),
    ("POST", "/v1.41/containers/app/exec"),
    ("GET", "/containers/app/top"),
    ("GET", "/v1.47/secrets"),
    ("PUT", "/containers/app/archive?path=/"),
    ("GET", "/containers/app/json/../../../info"),
    ("GET", "//info"),
    ("GET", "/info/"),
    ("GET", "/containers/%61pp/top"),
    ("GET", "/v1.47//containers/json"),
    ("POST", "/build?remote=x"),
    ("GET", "/v9.9/info"),
    ("PATCH", "/info"),
];

/// Messages that two readers could cut differently; each hides a `DELETE` that must never arrive.
pub(crate) const SMUGGLERS: &[&str] = &[
    "POST /images/load HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nDELETE /containers/app HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST /images/load HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 50\r\n\r\nDELETE /containers/app HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST /images/load HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\nDELETE /containers/app HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /info HTTP/1.1\nHost: a\n\nDELETE /containers/app HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /info HTTP/1.1\r\nHost: a\r\nX: y\nDELETE /containers/app HTTP/1.1\r\n\r\n",
    "POST /images/load HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\nDELETE /containers/app HTTP/1.1\r\nHost: a\r\n\r\n",
    // The head is whole, so the engine may see it, and that its body breaks off.
    "POST /images/load HTTP/1.1\r\nHost: a\r\nUser-Agent: soak/allowed\r\nContent-Type: application/x-tar\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nDELETE /containers/app HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /info HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\nDELETE /containers/app HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST /containers/app/attach HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: +5\r\n\r\nDELETE /containers/app HTTP/1.1\r\nHost: a\r\n\r\n",
    "\0\x01\x02\r\n\r\nDELETE /containers/app HTTP/1.1\r\nHost: a\r\n\r\n",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_forbidden_is_not_expected() {
        for (method, target) in FORBIDDEN {
            assert!(!may(method, target), "{method} {target}");
        }
        assert!(may("GET", "/v1.41/containers/json?all=1") && may("POST", "/containers/app/kill"));
        assert!(!may("GET", "/v1./info") && !may("GET", "/containers/a/b/json"));
    }
}
