//! Messages call a setting as the user gave it: by its variable, or by its flag.

use tokio::net::UnixStream;

use crate::program::{Program, ask};
use crate::support::{get, run, with_body};

#[test]
fn messages_call_a_setting_as_it_was_given() {
    run(async {
        let variables = [
            ("SP_PROXYSOCKETENDPOINTFILEMODE", "0600"),
            ("SP_ALLOW_GET", "/info"),
            ("SP_ALLOW_POST", "/containers/create"),
            ("SP_MAXHEADBYTES", "1024"),
            ("SP_HOSTACCESS", "deny"),
            // The flag beats it.
            ("SP_MAXHEADERS", "50"),
            ("SP_NOSANDBOX", "true"),
        ];
        let words = ["-proxysocketendpoint=DIR/proxy.sock", "-maxheaders=16"];
        let program = Program::start(&words, &variables);
        let path = program.path("proxy.sock");
        let check = async |request: &str, want: &str| {
            let answer = ask(async || UnixStream::connect(&path).await, request).await;
            assert!(answer.contains(want), "{want} is not in {answer}");
        };
        let close = "Connection: close";
        // One more variable: with a flag those that are there would count no longer.
        let pattern = "`SP_ALLOW_GET_2=(/v1[.][0-9]+)?/version` would allow it";
        check(&get("GET /version", &[close]), pattern).await;
        check(&get("DELETE /containers/x", &[close]), "`-allowDELETE='").await;
        check(&get("GET /info", &[&format!("X: {}", "x".repeat(1024))]), "`SP_MAXHEADBYTES`").await;
        check(&get("GET /info", &["X: y"; 20]), "`-maxheaders`").await;
        let create = r#"{"Image":"x","HostConfig":{"Privileged":true}}"#;
        let create = with_body("POST /containers/create", "application/json", create);
        let create = create.replacen("\r\n", &format!("\r\n{close}\r\n"), 1);
        check(&create, "`SP_HOSTACCESS=allow`,").await;
        let (_, log) = program.stop().await;
        assert!(log.contains("the sandbox is off, as `SP_NOSANDBOX` says"), "{log}");
    });
}
