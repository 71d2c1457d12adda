//! AuthService.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::auth::credentials::Authenticator;
use crate::auth::random_id;
use crate::auth::tokens::TokenSpec;
use crate::domain::ctx::{Actor, Ctx, ProjectGrant, User, UserRights, room_not_found};
use crate::domain::ids::{OrganizationId, ProjectId, RoomId, UserId};
use crate::domain::permissions::{AccessPatterns, Level, Matrix, Resource};
use crate::domain::room::Room;
use crate::error::{Code, Error, chain};
use crate::proto::handlers::roomd_v1_auth_service::AuthService;
use crate::proto::live_token::live_token;
use crate::proto::room::{organization, strings, timestamp};
use crate::proto::roomd::v1;
use crate::proto::value::to_object;
use crate::store::Store;

pub struct AuthHandlers {
    store: Store,
    authenticator: Authenticator,
}

impl AuthHandlers {
    pub fn new(store: Store, authenticator: Authenticator) -> Self {
        Self { store, authenticator }
    }

    /// Issues a token to somebody who is to be told of what it lets them read.
    async fn issue_and_record(
        &self,
        ctx: &Ctx,
        project: &ProjectId,
        user: User,
    ) -> Result<String, Error> {
        // A token is worth more than knowing of it: what is not recorded is what was known before.
        if let Err(error) = self.store.record_access(project, &user).await {
            tracing::warn!(error = %chain(&error), "failed to record what a token gives");
        }
        self.issue(ctx, project, user)
    }

    fn issue(&self, ctx: &Ctx, project: &ProjectId, user: User) -> Result<String, Error> {
        let spec = TokenSpec { project: project.clone(), user, lifetime_s: None };
        self.authenticator.tokens().issue(&spec, ctx.now_ms())
    }

    /// A token for one room, with the scopes that a user has there now.
    async fn issue_for_room(
        &self,
        ctx: &Ctx,
        grant: &ProjectGrant,
        room_id: &str,
        asked: Asked,
    ) -> Result<String, Error> {
        let id = RoomId::parse("roomId", room_id)?;
        // In a token the room's id is a pattern; one with a star would open other rooms as well.
        if room_id.contains('*') {
            let problem = "must not contain '*': a token for it would open other rooms too";
            return Err(Error::invalid("roomId", problem));
        }
        let room = self.store.find_room(grant.project(), &id).await?;
        let room = grant.open(room.ok_or_else(room_not_found)?);
        let rights = rights_in(&room, &asked);
        if !rights.allows(asked.level, Resource::Room) {
            return Err(no_access());
        }
        let scopes = rights.canonical_scopes().into_iter().map(|scope| scope.as_str().to_owned());
        let patterns = AccessPatterns::trusted([(room_id.to_owned(), scopes.collect::<Vec<_>>())]);
        let user = User {
            rights: UserRights::Patterns(patterns),
            organization_id: room.organization_id.clone(),
            id: asked.user_id,
            info: asked.info,
        };
        self.issue(ctx, grant.project(), user)
    }
}

/// What the two deprecated calls differ in.
struct Asked {
    user_id: UserId,
    group_ids: Vec<String>,
    info: Option<Map<String, Value>>,
    /// What the room must give for a token to be issued.
    level: Level,
}

fn rights_in(room: &Room, asked: &Asked) -> Matrix {
    let user = User {
        id: asked.user_id.clone(),
        info: None,
        organization_id: room.organization_id.clone(),
        rights: UserRights::Identity { group_ids: asked.group_ids.clone() },
    };
    Actor::User(Arc::new(user)).rights_in(room)
}

fn no_access() -> Error {
    Error::new(
        Code::PermissionDenied,
        "UNAUTHORIZED_ROOM_ACCESS",
        "The user does not have access to this room",
    )
}

/// The id of somebody who has none. Random, so that two of them are two people.
fn anonymous() -> Result<UserId, Error> {
    Ok(UserId::trusted(format!("anonymous-{}", random_id()?)))
}

fn organization_or_default(id: &str, tenant_id: &str) -> Result<OrganizationId, Error> {
    organization(id, tenant_id).map(Option::unwrap_or_default)
}

impl AuthService for AuthHandlers {
    async fn authorize_user(
        &self,
        ctx: &Ctx,
        request: v1::AuthorizeUserRequest,
    ) -> Result<v1::AuthorizeUserResponse, Error> {
        let grant = ctx.require_admin()?;
        let pattern = |(pattern, scopes)| {
            let scopes = strings(&format!("permissions.{pattern}"), scopes)?;
            Ok((pattern, scopes))
        };
        let permissions = request.permissions.into_iter().map(pattern);
        let permissions = permissions.collect::<Result<Vec<_>, Error>>()?;
        let user = User {
            id: UserId::parse("userId", &request.user_id)?,
            info: request.user_info.map(to_object),
            organization_id: organization_or_default(&request.organization_id, &request.tenant_id)?,
            rights: UserRights::Patterns(AccessPatterns::parse("permissions", permissions)?),
        };
        let token = self.issue_and_record(ctx, grant.project(), user).await?;
        Ok(v1::AuthorizeUserResponse { token })
    }

    async fn identify_user(
        &self,
        ctx: &Ctx,
        request: v1::IdentifyUserRequest,
    ) -> Result<v1::IdentifyUserResponse, Error> {
        let grant = ctx.require_admin()?;
        let user = User {
            id: UserId::parse("userId", &request.user_id)?,
            info: request.user_info.map(to_object),
            organization_id: organization_or_default(&request.organization_id, &request.tenant_id)?,
            rights: UserRights::Identity { group_ids: request.group_ids },
        };
        let token = self.issue_and_record(ctx, grant.project(), user).await?;
        Ok(v1::IdentifyUserResponse { token })
    }

    async fn authorize_room(
        &self,
        ctx: &Ctx,
        request: v1::AuthorizeRoomRequest,
    ) -> Result<v1::AuthorizeRoomResponse, Error> {
        let grant = ctx.require_admin()?;
        let user_id = match request.user_id.as_str() {
            "" => anonymous()?,
            id => UserId::parse("userId", id)?,
        };
        let asked = Asked {
            user_id,
            group_ids: request.group_ids,
            info: request.user_info.map(to_object),
            level: Level::Read,
        };
        let token = self.issue_for_room(ctx, &grant, &request.room_id, asked).await?;
        Ok(v1::AuthorizeRoomResponse { token })
    }

    async fn authorize_room_public(
        &self,
        ctx: &Ctx,
        request: v1::AuthorizeRoomPublicRequest,
    ) -> Result<v1::AuthorizeRoomPublicResponse, Error> {
        let key = &request.public_api_key;
        let project = self.authenticator.public_key(key, ctx.now_ms()).await?;
        // The key is the credential here: whoever holds it may ask what anonymous users may do.
        let grant = ProjectGrant::system(project);
        let asked =
            Asked { user_id: anonymous()?, group_ids: Vec::new(), info: None, level: Level::Write };
        let token = self.issue_for_room(ctx, &grant, &request.room_id, asked).await?;
        Ok(v1::AuthorizeRoomPublicResponse { token })
    }

    async fn create_live_kit_token(
        &self,
        ctx: &Ctx,
        request: v1::CreateLiveKitTokenRequest,
    ) -> Result<v1::CreateLiveKitTokenResponse, Error> {
        let grant = ctx.require_admin()?;
        let mut token = live_token(request, ctx.now_ms())?;
        let live = self.authenticator.live();
        token.api_key = live.newest_key(grant.project()).await?.id.clone();
        Ok(v1::CreateLiveKitTokenResponse {
            token: live.sign(&token, ctx.now_ms()).await?,
            expires_at: Some(timestamp(token.expires_at_s.saturating_mul(1_000))),
            api_key: token.api_key,
        })
    }

    async fn get_json_web_key_set(
        &self,
        _ctx: &Ctx,
        _request: v1::GetJsonWebKeySetRequest,
    ) -> Result<v1::GetJsonWebKeySetResponse, Error> {
        let keys = self.authenticator.tokens().keys().public_keys().keys;
        let keys = keys.into_iter().map(|key| v1::JsonWebKey {
            kty: key.kty.to_owned(),
            crv: key.crv.to_owned(),
            x: key.x,
            y: key.y.unwrap_or_default(),
            kid: key.kid,
            alg: key.alg.to_owned(),
            r#use: key.key_use.to_owned(),
        });
        Ok(v1::GetJsonWebKeySetResponse { keys: keys.collect() })
    }
}
