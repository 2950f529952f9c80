"""Replaces a container as Watchtower does, and tries what it must not. Arguments: image, name, directory, labels."""

import json
import os
import sys

import docker
from docker.errors import APIError

image, name, directory, labels = sys.argv[1:5]
labels = json.loads(labels)
api = docker.APIClient(os.environ["DOCKER_HOST"], version="auto", timeout=60)


def refused(says, call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except APIError as error:
        assert says in str(error), f"{says}: {error}"
        return
    raise AssertionError(f"{says}: it passed")


def subtracted(inspect, of_image):
    """Watchtower's GetCreateConfig: without what is the image's."""
    config, base = dict(inspect["Config"]), of_image["Config"]
    for field in ("WorkingDir", "User"):
        if config.get(field) == base.get(field):
            config[field] = ""
    if config.get("Entrypoint") == base.get("Entrypoint"):
        config["Entrypoint"] = None
        if config.get("Cmd") == base.get("Cmd"):
            config["Cmd"] = None
    config["Env"] = [it for it in config.get("Env") or [] if it not in (base.get("Env") or [])]
    own = base.get("Labels") or {}
    config["Labels"] = {key: value for key, value in config["Labels"].items() if own.get(key) != value}
    return config


def body(inspect):
    networks = inspect["NetworkSettings"]["Networks"]
    first = dict(list(networks.items())[:1])
    made = subtracted(inspect, api.inspect_image(inspect["Image"]))
    return {**made, "HostConfig": inspect["HostConfig"], "NetworkingConfig": {"EndpointsConfig": first}}


old = api.inspect_container(name)
new = body(old)
refused("no container that this client took down", api.create_container_from_config, new, name)
refused("made in place of another", api.start, name)
refused("no part of a replacement", api.remove_container, name, v=True, force=True)
api.stop(name, timeout=0)
assert api.inspect_container(name)["State"]["Running"] is False
api.remove_container(old["Id"], force=True)

for field, value in [
    ("Cmd", ["sh", "-c", "id"]),
    ("Entrypoint", ["sh"]),
    ("User", "1"),
    ("Env", ["OTHER=1"]),
    ("Healthcheck", {"Test": ["CMD", "id"]}),
    ("Labels", {**new["Labels"], "sockwarden.allow": "exec"}),
    ("Image", "sockwarden-test-elsewhere"),
]:
    refused("is not as the container", api.create_container_from_config, {**new, field: value}, name)
for field, value in [
    ("Binds", ["/:/host"]),
    ("Binds", None),
    ("CapAdd", ["SYS_ADMIN"]),
    ("CapDrop", None),
    ("ReadonlyRootfs", False),
    ("Privileged", True),
    ("PidMode", "host"),
    ("NetworkMode", "host"),
    ("Memory", 0),
]:
    changed = {**new, "HostConfig": {**new["HostConfig"], field: value}}
    refused("is not as the container", api.create_container_from_config, changed, name)
refused("no container that this client took down", api.create_container_from_config, new, name + "x")

made = api.create_container_from_config(new)["Id"]
refused("was replaced already", api.create_container_from_config, new)
refused("may be called", api.rename, made, name + "x")
api.rename(made, name)
for network, endpoint in list(old["NetworkSettings"]["Networks"].items())[1:]:
    where = f"/networks/{network}/connect"
    response = api._post_json(api._url(where), data={"Container": made, "EndpointConfig": endpoint})
    api._raise_for_status(response)
api.start(made)

now = api.inspect_container(name)
assert now["Id"] != old["Id"] and now["State"]["Running"], now["State"]
for part in ("Binds", "CapAdd", "CapDrop", "ReadonlyRootfs", "Memory", "NetworkMode", "SecurityOpt", "Devices"):
    assert now["HostConfig"][part] == old["HostConfig"][part], part
assert now["Config"]["Labels"] == old["Config"]["Labels"], now["Config"]["Labels"]
assert set(now["NetworkSettings"]["Networks"]) == set(old["NetworkSettings"]["Networks"])

# And once more what was made, by Portainer's order.
api.stop(name, timeout=0)
api.rename(name, name + "-old")
for network in list(now["NetworkSettings"]["Networks"]):
    api.disconnect_container_from_network(name + "-old", network, force=True)
again = api.create_container_from_config(body(now), name)["Id"]
for network, endpoint in list(now["NetworkSettings"]["Networks"].items())[1:]:
    where = f"/networks/{network}/connect"
    response = api._post_json(api._url(where), data={"Container": again, "EndpointConfig": endpoint})
    api._raise_for_status(response)
api.start(again)
api.remove_container(name + "-old")
assert api.inspect_container(name)["State"]["Running"]
print("all passed", end="")
