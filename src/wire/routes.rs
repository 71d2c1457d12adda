//! The tree of REST routes: matched on the raw path, a literal before a variable.

use std::sync::Arc;

use http::Method as Verb;

use super::table::{Method, Segment, Table};

/// Segments that a path may have; the longest route has eight.
const SEGMENTS_MAX: usize = 16;

#[derive(Default)]
pub struct Routes {
    root: Node,
}

#[derive(Default)]
struct Node {
    literals: Vec<(&'static str, Node)>,
    variable: Option<Box<Node>>,
    endpoints: Vec<Endpoint>,
}

struct Endpoint {
    verb: Verb,
    method: Arc<dyn Method>,
    rule: usize,
}

/// What a path leads to.
pub enum Match<'r, 'p> {
    Found {
        method: &'r Arc<dyn Method>,
        rule: usize,
        variables: Vec<&'p str>,
    },
    /// The path exists with these other verbs.
    WrongVerb(Vec<&'r Verb>),
    None,
}

impl Routes {
    pub fn new(table: &Table) -> Self {
        let mut routes = Self::default();
        for method in table.methods() {
            for (rule, (verb, segments)) in method.routes().into_iter().enumerate() {
                let mut node = &mut routes.root;
                for segment in segments {
                    node = node.child(*segment);
                }
                node.endpoints.push(Endpoint { verb, method: method.clone(), rule });
            }
        }
        routes
    }

    pub fn find<'r, 'p>(&'r self, verb: &Verb, path: &'p str) -> Match<'r, 'p> {
        let Some(path) = path.strip_prefix('/') else { return Match::None };
        if path.bytes().filter(|byte| *byte == b'/').count() >= SEGMENTS_MAX {
            return Match::None;
        }
        let mut variables = Vec::new();
        let Some(node) = self.root.descend(Some(path), &mut variables) else {
            return Match::None;
        };
        match node.endpoints.iter().find(|endpoint| endpoint.verb == *verb) {
            Some(Endpoint { method, rule, .. }) => Match::Found { method, rule: *rule, variables },
            None => Match::WrongVerb(node.endpoints.iter().map(|found| &found.verb).collect()),
        }
    }
}

impl Node {
    fn child(&mut self, segment: Segment) -> &mut Self {
        match segment {
            Segment::Variable(_) => self.variable.get_or_insert_default(),
            Segment::Literal(text) => {
                let at = match self.literals.iter().position(|(found, _)| *found == text) {
                    Some(at) => at,
                    None => {
                        self.literals.push((text, Self::default()));
                        self.literals.len() - 1
                    }
                };
                &mut self.literals[at].1
            }
        }
    }

    /// Depth first with backtracking: `/rooms/{id}/x` must still match where a literal room id
    /// leads into a dead end. The depth is bounded by [`SEGMENTS_MAX`].
    fn descend<'r, 'p>(
        &'r self,
        rest: Option<&'p str>,
        variables: &mut Vec<&'p str>,
    ) -> Option<&'r Self> {
        let Some(rest) = rest else {
            return (!self.endpoints.is_empty()).then_some(self);
        };
        let (segment, rest) = match rest.split_once('/') {
            Some((segment, rest)) => (segment, Some(rest)),
            None => (rest, None),
        };
        let literal = self.literals.iter().find(|(text, _)| *text == segment);
        let by_literal = literal.and_then(|(_, node)| node.descend(rest, variables));
        if by_literal.is_some() {
            return by_literal;
        }
        // An empty segment is no id.
        let variable = self.variable.as_ref().filter(|_| !segment.is_empty())?;
        variables.push(segment);
        let found = variable.descend(rest, variables);
        if found.is_none() {
            variables.pop();
        }
        found
    }
}
