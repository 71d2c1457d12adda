//! Types that no value can ever fit, because they need themselves: `type Foo { foo: Foo }`.

use super::types::{ObjectId, ObjectType, Type};

/// The objects that some finite value fits. Round by round, what was found makes more of them
/// possible; a worklist keeps that linear in the references between types.
pub(super) fn inhabited(objects: &[ObjectType]) -> Vec<bool> {
    let mut found = vec![false; objects.len()];
    let mut used_by: Vec<Vec<usize>> = vec![Vec::new(); objects.len()];
    for (user, object) in objects.iter().enumerate() {
        for field in object.fields.values().filter(|field| !field.is_optional) {
            needs(&field.of, &mut |ObjectId(needed)| {
                if let Some(users) = used_by.get_mut(needed) {
                    users.push(user);
                }
            });
        }
    }
    let mut open: Vec<usize> = (0..objects.len()).collect();
    while let Some(next) = open.pop() {
        let is_new = found.get(next) == Some(&false)
            && objects.get(next).is_some_and(|object| is_possible(object, &found));
        if let (true, Some(found)) = (is_new, found.get_mut(next)) {
            *found = true;
            open.extend(used_by.get(next).into_iter().flatten());
        }
    }
    found
}

fn is_possible(object: &ObjectType, found: &[bool]) -> bool {
    object.fields.values().all(|field| field.is_optional || fits_something(&field.of, found))
}

/// Whether a field of this type keeps its object from existing.
pub(super) fn fits_something(of: &Type, found: &[bool]) -> bool {
    match of {
        Type::Object(id) | Type::LiveObject(id) => found.get(id.0) == Some(&true),
        Type::Union(members) => members.iter().any(|member| fits_something(member, found)),
        // Arrays, lists and maps may be empty.
        Type::Array(_) | Type::LiveList(_) | Type::LiveMap(_) => true,
        Type::String
        | Type::Number
        | Type::Integer
        | Type::Boolean
        | Type::Null
        | Type::Literal(_)
        | Type::LiveText
        | Type::LiveFile => true,
    }
}

fn needs(of: &Type, note: &mut impl FnMut(ObjectId)) {
    match of {
        Type::Object(id) | Type::LiveObject(id) => note(*id),
        Type::Union(members) => members.iter().for_each(|member| needs(member, note)),
        Type::Array(_) | Type::LiveList(_) | Type::LiveMap(_) => {}
        Type::String
        | Type::Number
        | Type::Integer
        | Type::Boolean
        | Type::Null
        | Type::Literal(_)
        | Type::LiveText
        | Type::LiveFile => {}
    }
}
