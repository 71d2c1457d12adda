//! Two routes that could match the same request are a mistake that only the build can see whole.

use super::model::{Api, Rule, Segment};

pub fn check(api: &Api) -> Result<(), String> {
    let mut seen: Vec<(&str, &Rule)> = Vec::new();
    for method in api.services.iter().flat_map(|service| &service.methods) {
        for rule in &method.rules {
            let twin = seen.iter().find(|(_, other)| same_paths(rule, other));
            if let Some((other, _)) = twin {
                let name = method.descriptor.full_name();
                return Err(format!("{name} and {other} both have {} {}", rule.verb, rule.path));
            }
            seen.push((method.descriptor.full_name(), rule));
        }
    }
    Ok(())
}

/// A literal wins over a variable at run time, so only equal shapes are a conflict.
fn same_paths(a: &Rule, b: &Rule) -> bool {
    let same = |(a, b): (&Segment, &Segment)| match (a, b) {
        (Segment::Literal(a), Segment::Literal(b)) => a == b,
        (Segment::Variable(_), Segment::Variable(_)) => true,
        _ => false,
    };
    a.verb == b.verb
        && a.segments.len() == b.segments.len()
        && a.segments.iter().zip(&b.segments).all(same)
}
