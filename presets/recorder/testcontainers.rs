//! What `testcontainers` in recorder/tools.py builds and runs: the crate, used as a test would.

use testcontainers::core::{ExecCommand, IntoContainerPort, WaitFor};
use testcontainers::runners::SyncRunner;
use testcontainers::{GenericImage, ImageExt};

fn main() {
    println!("testcontainers 0.28.0 (Rust)");
    let (name, tag) = ("sockwarden-test-preset-busybox", "1");
    let container = GenericImage::new(name, tag)
        .with_wait_for(WaitFor::message_on_stdout("ready"))
        .with_exposed_port(80.tcp())
        .with_cmd(["sh", "-c", "echo ready; httpd -f -p 80 -h /www"])
        .with_container_name("sockwarden-test-preset-tests")
        .with_network("sockwarden-test-preset-made")
        .with_env_var("GREETING", "hello")
        .start()
        .expect("the container starts");
    let mut done = container.exec(ExecCommand::new(["echo", "executed"])).expect("exec");
    assert_eq!(done.stdout_to_vec().expect("stdout"), b"executed\n");
    assert_eq!(done.exit_code().expect("exit code"), Some(0));
    container.get_host_port_ipv4(80).expect("a port");
    container.get_host().expect("a host");
    assert!(container.stdout_to_vec().expect("logs").starts_with(b"ready"));
    container.stop().expect("stop");
    container.start().expect("start");
    container.rm().expect("rm");
    let missing = GenericImage::new("localhost:1/sockwarden-test-missing", "1").start();
    assert!(missing.is_err(), "an image that is not there was started");
}
