//! The comments of the proto files, as the document shows them.

use std::collections::BTreeMap;

use prost_reflect::{
    EnumDescriptor, FieldDescriptor, FileDescriptor, MessageDescriptor, MethodDescriptor,
    ServiceDescriptor,
};

use crate::generate::model::Api;

pub struct Texts {
    /// By file and place in it, as protobuf's source info counts places.
    by_place: BTreeMap<(String, Vec<i32>), String>,
    /// JSON names by proto names, where they differ.
    json_names: BTreeMap<String, String>,
}

/// What has a comment.
pub trait Place {
    fn file(&self) -> FileDescriptor;
    fn place(&self) -> &[i32];
}

macro_rules! place {
    ($($kind:ty)*) => {$(
        impl Place for $kind {
            fn file(&self) -> FileDescriptor {
                self.parent_file()
            }

            fn place(&self) -> &[i32] {
                self.path()
            }
        }
    )*};
}

place!(EnumDescriptor FieldDescriptor MessageDescriptor MethodDescriptor ServiceDescriptor);

impl Texts {
    pub fn read(api: &Api) -> Self {
        let pool = api.services.first().map(|service| service.descriptor.parent_pool());
        let files = pool.iter().flat_map(|pool| pool.file_descriptor_protos());
        let mut by_place = BTreeMap::new();
        for file in files {
            for location in file.source_code_info.iter().flat_map(|info| &info.location) {
                if let Some(comment) = &location.leading_comments {
                    let place = (file.name().to_owned(), location.path.clone());
                    by_place.insert(place, unwrap_lines(comment));
                }
            }
        }
        let fields = api.messages.iter().flat_map(MessageDescriptor::fields);
        let json_names = fields
            .filter(|field| field.name() != field.json_name())
            .map(|field| (field.name().to_owned(), field.json_name().to_owned()))
            .collect();
        Self { by_place, json_names }
    }

    /// The comment in front of something; empty if there is none.
    pub fn of(&self, commented: &impl Place) -> String {
        let place = (commented.file().name().to_owned(), commented.place().to_vec());
        self.by_place.get(&place).map(|text| self.in_json_names(text)).unwrap_or_default()
    }

    /// Comments name fields as the proto does; who reads this document knows the JSON names.
    fn in_json_names(&self, text: &str) -> String {
        let in_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while !rest.is_empty() {
            let end = rest.find(|c| !in_name(c)).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            out.push_str(self.json_names.get(word).map_or(word, String::as_str));
            let next = after.find(in_name).unwrap_or(after.len());
            out.push_str(&after[..next]);
            rest = &after[next..];
        }
        out
    }
}

/// One line for each paragraph or list item: the proto breaks lines at its own margin.
fn unwrap_lines(comment: &str) -> String {
    let mut out = String::new();
    for line in comment.trim().lines().map(str::trim) {
        let starts_anew = line.is_empty() || line.starts_with("- ") || out.ends_with('\n');
        match starts_anew {
            _ if out.is_empty() => {}
            true => out.push('\n'),
            false => out.push(' '),
        }
        out.push_str(line);
    }
    out
}

/// The first sentence without its full stop, and what follows it.
pub fn split_summary(text: &str) -> (String, String) {
    let paragraph_end = text.find('\n').unwrap_or(text.len());
    let sentence_end = text[..paragraph_end]
        .match_indices(". ")
        .map(|(at, _)| at + 1)
        .find(|at| text[*at..].trim_start().starts_with(char::is_uppercase))
        .unwrap_or(paragraph_end);
    let (first, rest) = text.split_at(sentence_end);
    (first.trim_end_matches('.').to_owned(), rest.trim().to_owned())
}

/// Two texts as two paragraphs.
pub fn join(first: &str, second: &str) -> String {
    match (first.is_empty(), second.is_empty()) {
        (false, false) => format!("{first}\n\n{second}"),
        _ => format!("{first}{second}"),
    }
}
