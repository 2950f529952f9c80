//! What a client created itself is no more than what its words give, also if it is made again.

use serde_json::{Value, json};

use super::world::{World, as_shown};

/// A volume that its container only names was made again, by somebody who may do more.
#[test]
fn what_was_made_again_beside_it_counts() {
    let host = json!({"type": "none", "o": "bind", "device": "/"});
    let create = "POST /containers/create?name=mine";
    let body = json!({"Image": "shop/web:1", "HostConfig": {"Binds": ["backup:/b"]}});
    for is_own in [true, false] {
        let mut world = World::new("create, remove, recreate");
        let id = if is_own { world.ask(create, &body).unwrap() } else { world.run("mine", &body) };
        let again = as_shown(world.find("mine").unwrap());
        let start = format!("POST /containers/{id}/start");
        world.ask(&format!("POST /containers/{id}/stop"), &Value::Null).unwrap();
        world.ask(&start, &Value::Null).unwrap();
        world.volume_options = host.clone();
        assert_eq!(world.ask(&start, &Value::Null).is_err(), is_own);
        world.volume_options = Value::Null;
        world.ask(&format!("DELETE /containers/{id}"), &Value::Null).unwrap();
        world.volume_options = host.clone();
        let made = world.ask(create, &again);
        assert_eq!(made.is_err(), is_own, "{made:?}");
    }
}
