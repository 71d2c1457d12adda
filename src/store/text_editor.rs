//! Which editor writes a room's Yjs document: two columns of the room's data, so they go where the
//! room goes and end with it.

use sqlx::FromRow;

use super::Store;
use super::db::{on_db, on_tx};
use super::fault::{Fault, corrupt, on};
use super::room_cache::Touched;
use super::room_data::DataKey;
use crate::domain::ctx::room_not_found;
use crate::domain::text_editor::{EditorKind, TextEditor};
use crate::error::Error;

const SELECT_EDITOR: &str = "SELECT text_editor, text_editor_root FROM room_data \
    WHERE project_id = $1 AND key = $2";
const UPDATE_EDITOR: &str = "UPDATE room_data SET text_editor = $3, text_editor_root = $4 \
    WHERE project_id = $1 AND key = $2";

#[derive(FromRow)]
struct TextEditorRow {
    text_editor: Option<String>,
    text_editor_root: Option<String>,
}

impl TextEditorRow {
    fn into_editor(self) -> Result<Option<TextEditor>, Error> {
        let (kind, root_key) = match (self.text_editor, self.text_editor_root) {
            (None, None) => return Ok(None),
            (Some(kind), Some(root_key)) => (kind, root_key),
            (_, _) => return Err(corrupt("room_data", "text_editor_root", "half of an editor")),
        };
        match EditorKind::parse(&kind) {
            Some(kind) => Ok(Some(TextEditor { kind, root_key })),
            None => Err(corrupt("room_data", "text_editor", "an unknown editor")),
        }
    }
}

impl Store {
    /// `None` if none was ever set.
    pub async fn find_text_editor(&self, key: &DataKey) -> Result<Option<TextEditor>, Error> {
        let row: Option<TextEditorRow> = self
            .read("room_data", async {
                on_db!(&self.inner.db, |c| sqlx::query_as(SELECT_EDITOR)
                    .bind(key.project.as_str())
                    .bind(&*key.key)
                    .fetch_optional(c)
                    .await)
            })
            .await?;
        row.map_or(Ok(None), TextEditorRow::into_editor)
    }

    /// Editors say the same each time they are opened, so mostly this is a read: what is there
    /// already is not written again.
    pub async fn set_text_editor(&self, key: &DataKey, editor: &TextEditor) -> Result<(), Error> {
        if self.find_text_editor(key).await?.as_ref() == Some(editor) {
            return Ok(());
        }
        let args = (key.clone(), editor.clone());
        self.transact("set_text_editor", Touched::nothing(), args, |tx, (key, editor)| {
            Box::pin(async move {
                let done = on_tx!(tx.write(), |c| sqlx::query(UPDATE_EDITOR)
                    .bind(key.project.as_str())
                    .bind(&*key.key)
                    .bind(editor.kind.as_str())
                    .bind(editor.root_key.as_str())
                    .execute(c)
                    .await
                    .map(|done| done.rows_affected()))
                .map_err(on("room_data"))?;
                if done == 0 { Err(Fault::Rule(room_not_found())) } else { Ok(()) }
            })
        })
        .await
    }
}
