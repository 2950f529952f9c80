//! Every message for what is wrong.

use std::os::unix::ffi::OsStringExt as _;

use super::*;

/// The mistakes as they are printed.
#[track_caller]
fn check_mistakes(words: &[&str], variables: &[(&str, &str)], want: &[&str]) {
    let got = load(words, variables).expect_err("a mistake").to_string();
    assert_eq!(got.lines().collect::<Vec<_>>(), want);
}

#[track_caller]
fn check_flag(word: &str, want: &str) {
    check_mistakes(&[word], &[], &[want]);
}

#[track_caller]
fn check_variable(name: &str, value: &str, want: &str) {
    check_mistakes(&[], &[(name, value)], &[want]);
}

#[test]
fn all_mistakes_come_at_once_flags_first() {
    check_mistakes(
        &["-proxyport=http", "-allowGETT=/x", "-loglevel=loud"],
        &[("SP_SHUTDOWNGRACETIME", "5s"), ("SP_ALOWFROM", "x"), ("SP_PROXYPORT", "0")],
        &[
            "`-proxyport`: `http` is not a port; give a whole number from 1 to 65535",
            "`-allowGETT` is not a flag of ours; did you mean `-allowGET`?",
            "`-loglevel`: `loud` is not a log level; give `DEBUG`, `INFO`, `WARN` or `ERROR`",
            "`SP_ALOWFROM` is not a variable of ours; did you mean `SP_ALLOWFROM`?",
            "`SP_PROXYPORT`: `0` is not a port; give a whole number from 1 to 65535",
            "`SP_SHUTDOWNGRACETIME`: `5s` is not a time in seconds; give a whole number from 0 to 4294967295, without a unit",
        ],
    );
}

#[test]
fn a_wrong_variable_is_reported_though_a_flag_overrides_it() {
    check_mistakes(
        &["-logjson"],
        &[("SP_LOGJSON", "yes")],
        &["`SP_LOGJSON`: `yes` is not a truth value; give `true` or `false`"],
    );
}

#[test]
fn unknown_names_come_with_the_nearest_known_one() {
    check_flag("-allow-from=x", "`-allow-from` is not a flag of ours; did you mean `-allowfrom`?");
    check_flag("--allowget=/", "`-allowget` is not a flag of ours; did you mean `-allowGET`?");
    check_flag("-xyz", "`-xyz` is not a flag of ours; `--help` lists them");
    check_variable(
        "SP_ALLOW_GTE",
        "/",
        "`SP_ALLOW_GTE` is not a variable of ours; did you mean `SP_ALLOW_GET`?",
    );
    check_variable(
        "SP_ALLOW_GTE_2",
        "/",
        "`SP_ALLOW_GTE_2` is not a variable of ours; did you mean `SP_ALLOW_GET_2`?",
    );
    check_variable(
        "SP_ALLOWGET_\n",
        "/",
        "`SP_ALLOWGET_\\n` is not a variable of ours; did you mean `SP_ALLOW_GET_\\n`?",
    );
    check_variable(
        "SP_ALLOW_get",
        "/",
        "`SP_ALLOW_get` is not a variable of ours; did you mean `SP_ALLOW_GET`?",
    );
    check_variable(
        "SP_LOGJSON_2",
        "1",
        "`SP_LOGJSON_2` is not a variable of ours; did you mean `SP_LOGJSON`?",
    );
    check_variable(
        "SP_FOO",
        "1",
        "`SP_FOO` is not a variable of ours; `--help` lists all that begin with `SP_`",
    );
    check_variable(
        "SP_",
        "1",
        "`SP_` is not a variable of ours; `--help` lists all that begin with `SP_`",
    );
}

#[test]
fn words_that_are_no_flags_are_not_ignored() {
    check_mistakes(
        &["-logjson", "false", "-proxyport=0", "x"],
        &[],
        &[
            "`false` is not expected here; give a switch its value as `-logjson=false`",
            "`-proxyport`: `0` is not a port; give a whole number from 1 to 65535",
            "`x` is not expected here; everything is set by flags, written `-name=value`",
        ],
    );
    check_flag("requst", "`requst` is not expected here; did you mean `request`?");
    check_flag("-", "`-` is not expected here; everything is set by flags, written `-name=value`");
    check_mistakes(
        &["--", "-logjson"],
        &[],
        &["`-logjson` is not expected here; everything is set by flags, written `-name=value`"],
    );
    check_flag("---logjson", "`---logjson` is not a flag; flags are written `-name=value`");
    check_flag("-=x", "`-=x` is not a flag; flags are written `-name=value`");
}

#[test]
fn a_flag_needs_its_value() {
    check_flag("-allowGET", "`-allowGET` needs a value; write `-allowGET=PATTERN`");
    check_mistakes(
        &["-allowGET", "-logjson=maybe"],
        &[],
        &[
            "`-allowGET` needs a value, and the next word `-logjson=maybe` is a flag; write `-allowGET=PATTERN`",
            "`-logjson`: `maybe` is not a truth value; give `true` or `false`",
        ],
    );
}

#[test]
fn every_value_is_checked_and_says_what_would_be_right() {
    let client = "is not an IP address, a network or a host name; give for example `172.18.0.2`, `172.16.0.0/12` or `traefik`, with commas between entries";
    check_flag("-allowfrom=traefik,10.0.0.0/33", &format!("`-allowfrom`: `10.0.0.0/33` {client}"));
    check_flag("-allowfrom=traefik,", &format!("`-allowfrom`: an empty value {client}"));
    check_flag("-allowfrom=", &format!("`-allowfrom`: an empty value {client}"));
    check_variable("SP_ALLOWFROM", "tcp://x", &format!("`SP_ALLOWFROM`: `tcp://x` {client}"));

    let directory = "is not an absolute directory without `..`; give for example `/srv/data`, with commas between entries";
    check_flag(
        "-allowbindmountfrom=/a,/b/../c",
        &format!("`-allowbindmountfrom`: `/b/../c` {directory}"),
    );
    check_flag(
        "-allowbindmountfrom=",
        &format!("`-allowbindmountfrom`: an empty value {directory}"),
    );

    let pattern = "is not a pattern; give for example `/v1[.][0-9]+/version`, or leave it out to allow nothing";
    check_flag("-allowPOST=", &format!("`-allowPOST`: an empty value {pattern}"));

    let address = "is not an IP address; give for example `127.0.0.1`, `0.0.0.0` or `::`";
    for wrong in ["localhost", "0.0.0.0:2375", "[::", "[127.0.0.1]", "fe80::1%eth0"] {
        check_flag(&format!("-listenip={wrong}"), &format!("`-listenip`: `{wrong}` {address}"));
    }

    let port = "is not a port; give a whole number from 1 to 65535";
    check_flag("-proxyport=65536", &format!("`-proxyport`: `65536` {port}"));
    check_variable("SP_PROXYPORT", "0x947", &format!("`SP_PROXYPORT`: `0x947` {port}"));
    check_variable("SP_PROXYPORT", "+1", &format!("`SP_PROXYPORT`: `+1` {port}"));

    let socket =
        "is not the path of a socket; give a file path of at most 107 bytes, without `unix://`";
    check_flag(
        "-socketpath=unix:///run/docker.sock",
        &format!("`-socketpath`: `unix:///run/docker.sock` {socket}"),
    );
    check_flag("-socketpath=", &format!("`-socketpath`: an empty value {socket}"));
    check_flag(
        "-proxysocketendpoint=@proxy",
        &format!("`-proxysocketendpoint`: `@proxy` {socket}"),
    );
    let long = format!("/{}", "x".repeat(107));
    check_flag(&format!("-socketpath={long}"), &format!("`-socketpath`: `{long}` {socket}"));

    let mode = "is not a file mode; give it in octal, from `0600` to `0777`";
    let flag = "-proxysocketendpointfilemode";
    check_flag(
        &format!("{flag}=600"),
        &format!("`{flag}`: `600` is read as a decimal number, beyond `0777`; write `0600`"),
    );
    check_flag(&format!("{flag}=01000"), &format!("`{flag}`: `01000` {mode}"));
    check_flag(&format!("{flag}=0888"), &format!("`{flag}`: `0888` {mode}"));
    check_variable(
        "SP_PROXYSOCKETENDPOINTFILEMODE",
        "rw",
        &format!("`SP_PROXYSOCKETENDPOINTFILEMODE`: `rw` {mode}"),
    );

    let name = "is not the name or id of a container; give what `docker ps` shows, or `auto`";
    check_flag("-proxycontainername=/proxy", &format!("`-proxycontainername`: `/proxy` {name}"));
    let prefix = "is not a label prefix; use letters, digits, `.`, `-`, `_` and `/`, a letter or digit first and last";
    for wrong in ["proxy.", "-proxy", "a b", ""] {
        let shown =
            if wrong.is_empty() { "an empty value".to_owned() } else { format!("`{wrong}`") };
        check_flag(
            &format!("-dockerlabelprefix={wrong}"),
            &format!("`-dockerlabelprefix`: {shown} {prefix}"),
        );
    }
    check_flag(
        "-logjson=",
        "`-logjson`: an empty value is not a truth value; give `true` or `false`",
    );
}

#[test]
fn a_wrong_pattern_is_one_line_with_its_reason() {
    for variable in ["SP_ALLOW_GET_2", "SP_ALLOW_DELETE"] {
        let text = load(&[], &[(variable, "/a(\n")]).unwrap_err().to_string();
        assert!(text.starts_with(&format!("`{variable}`: `/a(\\n` is not a pattern: ")), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}

#[test]
fn what_is_not_text_is_refused_where_it_matters_and_printable() {
    let word = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
    let mistake = |words: &[&[u8]]| {
        Config::load(words.iter().map(|bytes| word(bytes)), []).unwrap_err().to_string()
    };
    assert_eq!(
        mistake(&[b"-allowGET=/\xff\x1b"]),
        "`-allowGET`: `/\\xff\\u{1b}` is not text in UTF-8"
    );
    assert_eq!(
        mistake(&[b"-allow\xff"]),
        "`-allow\\xff` is not a flag of ours; `--help` lists them"
    );
    assert_eq!(
        mistake(&[b"\xff"]),
        "`\\xff` is not expected here; everything is set by flags, written `-name=value`"
    );
    let text = Config::load([], [(word(b"SP_\xff"), word(b"1"))]).unwrap_err().to_string();
    assert_eq!(
        text,
        "`SP_\\xff` is not a variable of ours; `--help` lists all that begin with `SP_`"
    );
    // A path is bytes.
    let Ok(Loaded::Serve(config)) = Config::load([word(b"-socketpath=/\xff")], []) else {
        panic!()
    };
    assert_eq!(config.engine_socket.as_os_str(), word(b"/\xff"));
}

#[test]
fn our_socket_is_not_the_engine_s() {
    check_mistakes(
        &["-proxysocketendpoint=/var/run//docker.sock"],
        &[],
        &[
            "`-proxysocketendpoint` and `-socketpath` are the same path, `/var/run//docker.sock`; the proxy would replace the engine's socket by its own",
        ],
    );
    check_mistakes(
        &["-socketpath=/d"],
        &[("SP_PROXYSOCKETENDPOINT", "/d")],
        &[
            "`SP_PROXYSOCKETENDPOINT` and `-socketpath` are the same path, `/d`; the proxy would replace the engine's socket by its own",
        ],
    );
}

#[test]
fn limits_are_whole_numbers_within_reason() {
    check_flag(
        "-maxheadbytes=64k",
        "`-maxheadbytes`: `64k` is not a limit; give a whole number from 1024 to 1048576, without a unit",
    );
    check_variable(
        "SP_MAXHEADERS",
        "0",
        "`SP_MAXHEADERS`: `0` is not a limit; give a whole number from 16 to 512, without a unit",
    );
    check_flag(
        "-maxconnectionsperclient=-1",
        "`-maxconnectionsperclient`: `-1` is not a limit; give a whole number from 1 to 1000000, without a unit",
    );
    check_variable(
        "SP_HEADTIMEOUT",
        "10s",
        "`SP_HEADTIMEOUT`: `10s` is not a time limit; give a whole number of seconds from 1 to 3600, without a unit",
    );
    check_flag(
        "-bodytimeout=0",
        "`-bodytimeout`: `0` is not a time limit; give a whole number of seconds from 1 to 3600, without a unit",
    );
}

/// YAML reads an unquoted `0660` as a number, and Compose hands on `432`.
#[test]
fn a_mode_that_yaml_changed_is_told_from_the_one_that_was_meant() {
    let name = "SP_PROXYSOCKETENDPOINTFILEMODE";
    // Every mode that could be meant, and what YAML makes of it.
    for meant in 0o600..=0o777_u32 {
        let (owner, others) = (meant >> 6, meant >> 3 & 7 | meant & 7);
        let changed = meant.to_string();
        let text = load(&[], &[(name, &changed)]).unwrap_err().to_string();
        let is_sane = owner & 6 == 6 && others & !owner == 0;
        let want = format!("write `\"{meant:04o}\"`, in quotes");
        assert_eq!(text.contains(&want), is_sane, "{text}");
        assert!(load(&[], &[(name, &format!("{meant:04o}"))]).is_ok() == is_sane, "{meant:04o}");
    }
    check_variable(
        name,
        "432",
        "`SP_PROXYSOCKETENDPOINTFILEMODE`: `432` means mode 0432, which does not let its owner read and write; probably YAML read an unquoted `0660` as a number: write `\"0660\"`, in quotes",
    );
    check_variable(
        name,
        "384",
        "`SP_PROXYSOCKETENDPOINTFILEMODE`: `384` is not an octal file mode; probably YAML read an unquoted `0600` as a number: write `\"0600\"`, in quotes",
    );
    let cure = "give for example `0600`, `0660` or `0666`";
    for (mode, problem) in [
        ("0000", "does not let its owner read and write"),
        ("0444", "does not let its owner read and write"),
        ("0266", "does not let its owner read and write"),
        ("0670", "gives others what its owner lacks"),
        ("0607", "gives others what its owner lacks"),
        ("0661", "gives others what its owner lacks"),
    ] {
        let want =
            |name: &str| format!("`{name}`: `{mode}` means mode {mode}, which {problem}; {cure}");
        check_variable(name, mode, &want(name));
        let flag = "-proxysocketendpointfilemode";
        check_flag(&format!("{flag}={mode}"), &want(flag));
    }
    for odd in ["1600", "04700", "0o1777", "7777", "-1", "06_0", "0x180", "rw-rw----", "u=rw"] {
        let text = load(&[], &[(name, odd)]).unwrap_err().to_string();
        assert!(text.contains("is not a file mode"), "{text}");
    }
}

#[test]
fn a_variable_that_only_looks_like_one_of_a_service_is_a_mistake() {
    check_variable(
        "SP_PORT",
        "2375",
        "`SP_PORT` is not a variable of ours; did you mean `SP_PROXYPORT`?",
    );
    assert!(load(&[], &[("SP_PROXYPORT", "tcp://10.96.0.1:2375")]).is_err());
    assert!(load(&[], &[("SP_SERVICE_HOST", "proxy")]).is_err());
}
