//! The cases of tokens and keys.

use serde_json::json;

use crate::cases::{Case, Expected, case, refusal};

const AUTH: &str = "roomd.v1.AuthService";

pub fn auth_cases() -> Vec<Case> {
    use Expected::Reply;
    let rpc = |method| (AUTH, method);
    let token = || Reply(json!({"token": "T"}));
    let invalid = || refusal("invalid_argument", 422, "UNPROCESSABLE_ENTITY");
    vec![
        case(
            "authorize",
            &[],
            rpc("AuthorizeUser"),
            json!({"userId": "ann",
                "permissions": {"team:*": ["*:write"]}, "userInfo": {"name": "Ann"}}),
            token(),
        ),
        case(
            "authorize an unknown scope",
            &[],
            rpc("AuthorizeUser"),
            json!({"userId": "ann", "permissions": {"r": ["everything"]}}),
            invalid(),
        ),
        case(
            "identify",
            &[],
            rpc("IdentifyUser"),
            json!({"userId": "ann", "groupIds": ["eng"], "organizationId": "acme"}),
            token(),
        ),
        case("identify nobody", &[], rpc("IdentifyUser"), json!({"userId": ""}), invalid()),
        case(
            "authorize for a room",
            &["r"],
            rpc("AuthorizeRoom"),
            json!({"roomId": "r", "userId": "ann"}),
            token(),
        ),
        case(
            "authorize for a room publicly",
            &["r"],
            rpc("AuthorizeRoomPublic"),
            json!({"roomId": "r", "publicApiKey": "{public}"}),
            refusal("permission_denied", 403, "UNAUTHORIZED_ROOM_ACCESS"),
        ),
        case(
            "authorize publicly with an unknown key",
            &["r"],
            rpc("AuthorizeRoomPublic"),
            json!({"roomId": "r", "publicApiKey": "pk_no"}),
            refusal("unauthenticated", 403, "INVALID_PUBLIC_KEY"),
        ),
        case(
            "sign with no key of LiveKit's",
            &[],
            rpc("CreateLiveKitToken"),
            json!({"identity": "ann", "grant": {"roomJoin": true, "room": "r"}}),
            refusal("failed_precondition", 422, "LIVEKIT_KEY_MISSING"),
        ),
        case(
            "let nobody join",
            &[],
            rpc("CreateLiveKitToken"),
            json!({"grant": {"roomJoin": true, "room": "r"}}),
            invalid(),
        ),
        case(
            "sign for too long",
            &[],
            rpc("CreateLiveKitToken"),
            json!({"identity": "ann", "ttlSeconds": 2_592_001}),
            invalid(),
        ),
        case(
            "publish from an unknown source",
            &[],
            rpc("CreateLiveKitToken"),
            json!({"identity": "ann", "grant": {"canPublishSources": ["kitchen"]}}),
            invalid(),
        ),
        case(
            "keys",
            &[],
            rpc("GetJsonWebKeySet"),
            json!({}),
            Reply(json!({"keys": [{"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig"}]})),
        ),
    ]
}
