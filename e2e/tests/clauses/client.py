"""What programs do with docker-py. Arguments: an image, a name, a directory that may be mounted, labels."""
import json
import sys

import docker
from docker.types import LogConfig, Mount, Ulimit

image, name, inside, labels = sys.argv[1:4] + [json.loads(sys.argv[4])]
client = docker.from_env(version="auto", timeout=60)
client.ping()

network = client.networks.create(f"{name}-net", driver="bridge", labels=labels, check_duplicate=True)
client.networks.create(f"{name}-internal", internal=True, labels=labels)
volume = client.volumes.create(f"{name}-data", labels=labels)

said = client.containers.run(image, ["sh", "-c", "echo $A; ls -d /inside"], remove=True, labels=labels, name=f"{name}-run",
                             environment={"A": "1"}, volumes={inside: {"bind": "/inside", "mode": "ro"}}, network=network.name)
assert said.split() == [b"1", b"/inside"], said

web = client.containers.create(
    image, ["sleep", "600"], name=f"{name}-web", labels=labels, detach=True, cap_drop=["ALL"], cap_add=["NET_BIND_SERVICE"],
    dns=["127.0.0.1"], extra_hosts={"db": "10.0.0.9"}, healthcheck={"test": ["CMD", "true"]}, hostname="web", init=True,
    log_config=LogConfig(type="json-file", config={"max-size": "1m"}), mem_limit="64m", memswap_limit="64m", nano_cpus=500000000,
    mounts=[Mount("/m", inside, type="bind", read_only=True), Mount("/data", volume.name), Mount("/t", None, type="tmpfs")],
    ports={"80/tcp": ("127.0.0.1", None)}, read_only=True, restart_policy={"Name": "on-failure", "MaximumRetryCount": 2},
    security_opt=["no-new-privileges"], tmpfs={"/run": "size=1m"}, ulimits=[Ulimit(name="nofile", soft=64, hard=64)], user="1000",
    working_dir="/tmp", pids_limit=64, shm_size="1m", stop_signal="KILL", sysctls={"net.core.somaxconn": "64"})
web.start()
# Podman's inspect tells too little of what an exec would reach.
podman = any(it["Name"] == "Podman Engine" for it in client.version()["Components"])
try:
    code, said = web.exec_run(["sh", "-c", "id -u"], environment={"B": "2"}, workdir="/")
    assert (code, said.strip()) == (0, b"1000"), (code, said)
except docker.errors.APIError as error:
    assert podman and error.status_code == 403 and "does not show" in error.explanation, error.explanation
network.connect(web, aliases=["www"])
network.disconnect(web)
web.update(mem_limit="96m", memswap_limit="96m")
low = client.api
made = low.create_container(image, ["true"], name=f"{name}-low", labels=labels, host_config=low.create_host_config(binds=[f"{volume.name}:/d"]),
                            networking_config=low.create_networking_config({network.name: low.create_endpoint_config(aliases=["low"])}))
low.remove_container(made["Id"])
web.remove(force=True)
volume.remove()

for dangerous, says in [({"privileged": True}, "Privileged"), ({"volumes": {"/": {"bind": "/h", "mode": "rw"}}}, "mounts the host's `/`"),
                        ({"pid_mode": "host"}, "PidMode"), ({"network_mode": "host"}, "network of the host"),
                        ({"devices": ["/dev/null"]}, "devices of the host")]:
    try:
        client.containers.create(image, "true", name=f"{name}-danger", labels=labels, **dangerous)
    except docker.errors.APIError as error:
        assert error.status_code == 403 and says in error.explanation, error.explanation
    else:
        raise AssertionError(f"{dangerous} was not refused")
print("all passed")
