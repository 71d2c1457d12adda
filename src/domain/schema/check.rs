//! From definitions to a schema: resolves names and holds the text against the rules that its
//! grammar cannot express.

use std::collections::{BTreeMap, HashMap};

use super::ast::{Definition, FieldExpr, Kind, Name, Problem, Span, TypeExpr};
use super::errors::line_of;
use super::inhabited::{fits_something, inhabited};
use super::names::{RESERVED_FIELD, built_in, fault_of_type_name, old_spelling, suggestion};
use super::types::{Field, ObjectId, ObjectType, Schema, Type};
use super::unions;

pub(super) fn check(text: &str, definitions: &[Definition<'_>]) -> Result<Schema, Vec<Problem>> {
    let mut checker = Checker::default();
    checker.declare(text, definitions);
    for (place, definition) in definitions.iter().enumerate() {
        let fields = checker.fields(&definition.fields, Place::Live);
        if let Some(object) = checker.objects.get_mut(place) {
            object.fields = fields;
        }
    }
    checker.check_references(text, definitions);
    // With names that mean nothing, whether values exist is anybody's guess.
    if checker.problems.is_empty() {
        checker.check_existence(definitions);
    }
    match checker.named.get("Storage") {
        Some(root) if checker.problems.is_empty() => {
            Ok(Schema { objects: checker.objects, root: *root })
        }
        Some(_) | None => Err(checker.problems),
    }
}

/// What a type is part of, which decides what it may be.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    /// A definition, which is live or plain depending on how it is referred to, or something live.
    Live,
    InlineObject,
    Array,
}

#[derive(Default)]
struct Checker<'t> {
    /// In the order of the definitions; behind them, the inline ones.
    objects: Vec<ObjectType>,
    named: HashMap<&'t str, ObjectId>,
    /// By definition: whether it holds something live.
    holds_live: Vec<bool>,
    /// By definition: where it is referred to as `T`, and as `LiveObject<T>`.
    plain_uses: Vec<Vec<Span>>,
    live_uses: Vec<Vec<Span>>,
    problems: Vec<Problem>,
}

impl<'t> Checker<'t> {
    fn problem(&mut self, span: &Span, text: impl Into<String>) {
        self.problems.push(Problem::new(span.clone(), text));
    }

    fn declare(&mut self, text: &str, definitions: &[Definition<'t>]) {
        for (place, Definition { name, fields }) in definitions.iter().enumerate() {
            if let Some(fault) = fault_of_type_name(name.text) {
                self.problem(&name.span, fault);
            }
            match self.named.get(name.text).and_then(|first| definitions.get(first.0)) {
                Some(first) => {
                    let line = line_of(text, first.name.span.start);
                    let fault = format!("'{}' is already defined on line {line}", name.text);
                    self.problem(&name.span, fault);
                }
                None => {
                    self.named.insert(name.text, ObjectId(place));
                }
            }
            let named = ObjectType { name: Some(name.text.into()), ..ObjectType::default() };
            self.objects.push(named);
            self.holds_live.push(fields.iter().any(|field| is_live(&field.of)));
            self.plain_uses.push(Vec::new());
            self.live_uses.push(Vec::new());
        }
        if !self.named.contains_key("Storage") {
            let fault = "the type 'Storage' is missing, which describes the root of the document";
            self.problem(&(text.len()..text.len()), fault);
        }
    }

    fn fields(&mut self, fields: &[FieldExpr<'t>], place: Place) -> BTreeMap<Box<str>, Field> {
        let mut checked = BTreeMap::new();
        for FieldExpr { name, is_optional, of } in fields {
            if name.text == RESERVED_FIELD {
                let fault = format!("the name '{RESERVED_FIELD}' is reserved");
                self.problem(&name.span, fault);
            }
            let field = Field { is_optional: *is_optional, of: self.resolve(of, place) };
            if checked.insert(name.text.into(), field).is_some() {
                let fault = format!("the field '{}' is already defined in this type", name.text);
                self.problem(&name.span, fault);
            }
        }
        checked
    }

    fn resolve(&mut self, expr: &TypeExpr<'t>, place: Place) -> Type {
        match &expr.kind {
            Kind::Named(name) => self.resolve_name(name, &expr.span, place),
            Kind::Literal(literal) => Type::Literal(literal.clone()),
            Kind::Object(fields) => {
                let fields = self.fields(fields, Place::InlineObject);
                self.objects.push(ObjectType { name: None, fields });
                Type::Object(ObjectId(self.objects.len() - 1))
            }
            Kind::Array(item) => {
                let within = if place == Place::Live { Place::Array } else { place };
                Type::Array(Box::new(self.resolve(item, within)))
            }
            Kind::Union(members) => {
                let mut resolved = Vec::new();
                self.resolve_members(members, place, &mut resolved);
                unions::union(resolved, &self.objects, &mut self.problems)
            }
            Kind::LiveObject(name) => {
                self.refuse_live(&expr.span, place);
                self.resolve_live_object(name, &expr.span)
            }
            Kind::LiveList(item) => {
                self.refuse_live(&expr.span, place);
                Type::LiveList(Box::new(self.resolve(item, Place::Live)))
            }
            Kind::LiveMap(types) => {
                self.refuse_live(&expr.span, place);
                let [key, value] = &**types;
                if self.resolve(key, Place::Live) != Type::String {
                    self.problem(&key.span, "the keys of a LiveMap are always of type 'string'");
                }
                Type::LiveMap(Box::new(self.resolve(value, Place::Live)))
            }
        }
    }

    /// Unions in parentheses become part of the one around them.
    fn resolve_members(
        &mut self,
        members: &[TypeExpr<'t>],
        place: Place,
        resolved: &mut Vec<(Type, Span)>,
    ) {
        for member in members {
            if let Kind::Union(members) = &member.kind {
                self.resolve_members(members, place, resolved);
            } else {
                resolved.push((self.resolve(member, place), member.span.clone()));
            }
        }
    }

    fn refuse_live(&mut self, span: &Span, place: Place) {
        let within = match place {
            Place::Live => return,
            Place::InlineObject => "an inline object",
            Place::Array => "an array",
        };
        let fault = format!("{within} is plain JSON and cannot hold anything live");
        self.problem(span, fault);
    }

    fn resolve_name(&mut self, name: &str, span: &Span, place: Place) -> Type {
        if let Some(built_in) = built_in(name) {
            if matches!(built_in, Type::LiveText | Type::LiveFile) {
                self.refuse_live(span, place);
            }
            return built_in;
        }
        let Some(id) = self.named.get(name).copied() else {
            return old_spelling(name).unwrap_or_else(|| self.unknown(name, span));
        };
        if let Some(uses) = self.plain_uses.get_mut(id.0) {
            uses.push(span.clone());
        }
        Type::Object(id)
    }

    fn resolve_live_object(&mut self, name: &Name<'t>, span: &Span) -> Type {
        let Some(id) = self.named.get(name.text).copied() else {
            if name.text.starts_with("Live")
                || built_in(name.text).or_else(|| old_spelling(name.text)).is_some()
            {
                let fault = "LiveObject<> takes the name of a type that is defined with 'type'";
                self.problem(&name.span, fault);
                return Type::Union(Box::new([]));
            }
            return self.unknown(name.text, &name.span);
        };
        if let Some(uses) = self.live_uses.get_mut(id.0) {
            uses.push(span.clone());
        }
        Type::LiveObject(id)
    }

    /// Reports it. The type that nothing fits cannot cause another fault.
    fn unknown(&mut self, name: &str, span: &Span) -> Type {
        let fault = match suggestion(name, self.named.keys().copied()) {
            Some(near) => format!("unknown type '{name}'; did you mean '{near}'?"),
            None => format!("unknown type '{name}'"),
        };
        self.problem(span, fault);
        Type::Union(Box::new([]))
    }

    fn check_references(&mut self, text: &str, definitions: &[Definition<'t>]) {
        let mut found = Vec::new();
        for (place, Definition { name: Name { text: name, span }, .. }) in
            definitions.iter().enumerate()
        {
            let plain = self.plain_uses.get(place).map_or(&[][..], Vec::as_slice);
            let live = self.live_uses.get(place).map_or(&[][..], Vec::as_slice);
            let is_root = *name == "Storage";
            if plain.is_empty() && live.is_empty() && !is_root {
                let fault = format!("the type '{name}' is defined but never used");
                found.push(Problem::new(span.clone(), fault));
            }
            let fault = if self.holds_live.get(place) == Some(&true) {
                format!("'{name}' holds something live, so refer to it as 'LiveObject<{name}>'")
            } else if is_root {
                "'Storage' is the root, which is live, so refer to it as 'LiveObject<Storage>'"
                    .to_owned()
            } else if let Some(live) = live.first() {
                let line = line_of(text, live.start);
                format!("'{name}' is 'LiveObject<{name}>' on line {line}; it cannot be both")
            } else {
                continue;
            };
            found.extend(plain.iter().map(|span| Problem::new(span.clone(), fault.clone())));
        }
        self.problems.append(&mut found);
    }

    fn check_existence(&mut self, definitions: &[Definition<'t>]) {
        let found = inhabited(&self.objects);
        for (place, Definition { name, fields }) in definitions.iter().enumerate() {
            let Some(object) = self.objects.get(place) else { continue };
            let blocking = fields.iter().find(|field| {
                let checked = object.fields.get(field.name.text);
                checked.is_some_and(|checked| {
                    !checked.is_optional && !fits_something(&checked.of, &found)
                })
            });
            if let Some(field) = blocking {
                let fault = format!(
                    "no value can ever fit '{}': its field '{}' leads back to it; make one of \
                     the fields on the way optional",
                    name.text, field.name.text
                );
                self.problems.push(Problem::new(field.of.span.clone(), fault));
            }
        }
    }
}

fn is_live(expr: &TypeExpr<'_>) -> bool {
    match &expr.kind {
        Kind::LiveObject(_) | Kind::LiveList(_) | Kind::LiveMap(_) => true,
        Kind::Named(name) => matches!(*name, "LiveText" | "LiveFile"),
        Kind::Array(item) => is_live(item),
        Kind::Union(members) => members.iter().any(is_live),
        Kind::Object(fields) => fields.iter().any(|field| is_live(&field.of)),
        Kind::Literal(_) => false,
    }
}
