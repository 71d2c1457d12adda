//! Projects: the tenants.

use sqlx::FromRow;

use super::Store;
use super::db::{on_db, on_tx};
use super::fault::{Fault, on};
use super::room_cache::Touched;
use crate::domain::ids::ProjectId;
use crate::error::Error;

const INSERT_PROJECT: &str = "INSERT INTO project (id, name, created_at_ms) VALUES ($1, $2, $3) \
    ON CONFLICT (id) DO NOTHING";
const SELECT_PROJECT: &str = "SELECT id, name, created_at_ms FROM project WHERE id = $1";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    pub id: ProjectId,
    pub name: String,
    pub created_at_ms: i64,
}

#[derive(Debug, FromRow)]
struct ProjectRow {
    id: String,
    name: String,
    created_at_ms: i64,
}

impl From<ProjectRow> for Project {
    fn from(row: ProjectRow) -> Self {
        Self { id: ProjectId::trusted(row.id), name: row.name, created_at_ms: row.created_at_ms }
    }
}

impl Store {
    /// False if there is one with this id, which stays as it is.
    pub async fn insert_project(
        &self,
        id: &ProjectId,
        name: &str,
        now_ms: i64,
    ) -> Result<bool, Error> {
        let args = (id.clone(), name.to_owned(), now_ms);
        self.transact("insert_project", Touched::nothing(), args, |tx, (id, name, now_ms)| {
            Box::pin(async move {
                let inserted = on_tx!(tx.write(), |c| sqlx::query(INSERT_PROJECT)
                    .bind(id.as_str())
                    .bind(name.as_str())
                    .bind(*now_ms)
                    .execute(c)
                    .await
                    .map(|done| done.rows_affected()))
                .map_err(on("project"))?;
                Ok::<_, Fault>(inserted > 0)
            })
        })
        .await
    }

    pub async fn find_project(&self, id: &ProjectId) -> Result<Option<Project>, Error> {
        let row: Option<ProjectRow> = self
            .read("project", async {
                on_db!(&self.inner.db, |c| sqlx::query_as(SELECT_PROJECT)
                    .bind(id.as_str())
                    .fetch_optional(c)
                    .await)
            })
            .await?;
        Ok(row.map(Project::from))
    }

    /// The project, created if it is missing. True if this call created it.
    pub async fn ensure_project(
        &self,
        id: &ProjectId,
        name: &str,
        now_ms: i64,
    ) -> Result<(Project, bool), Error> {
        if let Some(project) = self.find_project(id).await? {
            return Ok((project, false));
        }
        let created = self.insert_project(id, name, now_ms).await?;
        match self.find_project(id).await? {
            Some(project) => Ok((project, created)),
            None => Err(Error::internal("a project vanished while it was created")),
        }
    }
}
