//! A Storage document of so many nodes, put into a room by an ordinary client.
//!
//! Half of the nodes are objects in a map, half are objects in a list.

use std::fmt::Write;
use std::net::SocketAddr;

use super::clients;
use crate::Fail;

const OPS_PER_MESSAGE: usize = 500;
const CREATE_LIST: u8 = 2;
const CREATE_OBJECT: u8 = 4;
const CREATE_MAP: u8 = 7;

/// Fills an empty room. Returns when the server has acknowledged the last node.
pub fn fill(address: SocketAddr, room: &str, nodes: usize) -> Result<(), Fail> {
    let mut caller = clients::enter(address, room)?;
    caller.send(r#"[{"type":100,"targetActor":-1,"data":{}},{"type":200}]"#)?;
    caller.wait_for(br#""type":211"#)?;
    let ops: Vec<String> = ops(nodes).collect();
    for (number, chunk) in ops.chunks(OPS_PER_MESSAGE).enumerate() {
        let mut message = String::from(r#"[{"type":201,"ops":["#);
        let last = chunk.len() - 1;
        for (index, op) in chunk.iter().enumerate() {
            let comma = if index == last { "" } else { "," };
            write!(message, r#"{{"opId":"fill:{number}:{index}",{op}}}{comma}"#)?;
        }
        message.push_str("]}]");
        caller.send(&message)?;
        caller.wait_for(format!(r#""fill:{number}:{last}""#).as_bytes())?;
    }
    Ok(())
}

/// Node `index` is the object `o:index`; the even ones are in the map, the odd ones in the list.
fn ops(nodes: usize) -> impl Iterator<Item = String> {
    let parents = [
        create(CREATE_MAP, "map", "root", "map", None),
        create(CREATE_LIST, "list", "root", "list", None),
    ];
    // The root and its two children are nodes as well.
    let objects = (0..nodes.saturating_sub(3)).map(|index| {
        let data = format!(r#"{{"title":"Shape {index}","x":{index},"y":0,"done":false}}"#);
        let (parent, key) = match index % 2 {
            0 => ("map", format!("k{}", index / 2)),
            _ => ("list", position(index / 2)),
        };
        create(CREATE_OBJECT, &format!("o:{index}"), parent, &key, Some(&data))
    });
    parents.into_iter().chain(objects)
}

fn create(code: u8, id: &str, parent: &str, key: &str, data: Option<&str>) -> String {
    let data = data.map_or(String::new(), |data| format!(r#","data":{data}"#));
    format!(r#""type":{code},"id":"{id}","parentId":"{parent}","parentKey":"{key}"{data}"#)
}

/// Positions of a fixed length, in order. Only letters, so that nothing has to be escaped.
fn position(index: usize) -> String {
    let letter = |divisor: usize| char::from(b'a' + (index / divisor % 26) as u8);
    [26 * 26 * 26 * 26, 26 * 26 * 26, 26 * 26, 26, 1].map(letter).iter().collect()
}
