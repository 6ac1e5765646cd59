//! The description of the API (`OpenAPI` 3.1), written from the handlers and what they take and answer.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, http::header::ContentType};
use utoipa::{
    Modify, OpenApi, ToSchema,
    openapi::{
        OpenApi as Document, Ref, RefOr,
        content::ContentBuilder,
        response::ResponseBuilder,
        schema::{AdditionalProperties, AllOf, Object, Schema},
        security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};

use super::{drain, mesh, moderation, recorder, rooms, server, tickets};

/// The name of the token's scheme.
const TOKEN: &str = "token";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Switchboard, for operators",
        description = "Served by the ops listener. Reading and changing ask for the token in `ops.token_file`, if there is one.",
        license(name = "MIT", identifier = "MIT"),
    ),
    paths(
        rooms::rooms,
        rooms::room,
        mesh::mesh,
        rooms::peers,
        recorder::recorder,
        server::version,
        server::limits,
        server::log_level,
        server::set_log_level,
        server::reload,
        drain::drain,
        drain::undrain,
        tickets::issue,
        moderation::kick,
        moderation::bans,
        moderation::lift,
        moderation::lock,
        moderation::close,
        moderation::notice,
    ),
    components(schemas(Refused)),
    modifiers(&Everywhere),
)]
struct Api;

/// Why a call was refused.
#[derive(ToSchema)]
#[expect(dead_code, reason = "what `ErrorBody` writes, for the document alone; the tests compare it with every answer")]
struct Refused {
    error: Error,
}

/// What `error` says.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "as above")]
struct Error {
    /// A word for programs.
    code: String,
    /// What kind of trouble it is.
    category: String,
    /// Whether the same call may succeed later.
    retryable: bool,
    /// Not sooner than after this many milliseconds.
    retry_after_ms: Option<u64>,
    /// For people.
    message: String,
    /// As in `X-Request-Id`, and in the log.
    request_id: String,
}

/// What is so of every call: it asks for the token, and may be refused.
struct Everywhere;

impl Modify for Everywhere {
    fn modify(&self, document: &mut Document) {
        let scheme = SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build());
        let components = document.components.get_or_insert_default();
        components.add_security_scheme(TOKEN, scheme);
        let known = components.schemas.clone();
        for schema in components.schemas.values_mut() {
            if let RefOr::T(Schema::AllOf(parts)) = schema {
                *schema = RefOr::T(Schema::Object(whole(parts, &known)));
            }
        }
        // What an answer has is all here: one with more is not as described.
        for schema in components.schemas.values_mut() {
            if let RefOr::T(Schema::Object(object)) = schema
                && !object.properties.is_empty()
            {
                object.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
            }
        }
        document.security = Some(vec![SecurityRequirement::new::<_, [&str; 0], &str>(TOKEN, [])]);
        let content = ContentBuilder::new().schema(Some(RefOr::Ref(Ref::from_schema_name("Refused")))).build();
        let refused =
            ResponseBuilder::new().description("Refused: see `error.code`.").content("application/json", content);
        let refused = RefOr::T(refused.build());
        for path in document.paths.paths.values_mut() {
            let operations = [&mut path.get, &mut path.put, &mut path.post, &mut path.delete];
            for operation in operations.into_iter().flatten() {
                operation.responses.responses.insert("default".to_owned(), refused.clone());
            }
        }
    }
}

/// One object of several that a handler puts together (`serde(flatten)`): each of them alone would allow no more than it has.
fn whole(parts: &AllOf, known: &BTreeMap<String, RefOr<Schema>>) -> Object {
    let mut whole = Object::new();
    whole.description.clone_from(&parts.description);
    for part in &parts.items {
        let part = match part {
            RefOr::Ref(to) => to.ref_location.rsplit('/').next().and_then(|name| known.get(name)),
            here @ RefOr::T(_) => Some(here),
        };
        if let Some(RefOr::T(Schema::Object(part))) = part {
            whole.properties.extend(part.properties.clone());
            whole.required.extend(part.required.iter().cloned());
        }
    }
    whole
}

/// The document.
pub(super) async fn document() -> HttpResponse {
    match Api::openapi().to_json() {
        Ok(text) => HttpResponse::Ok().content_type(ContentType::json()).body(text),
        // Texts and numbers: it cannot fail.
        Err(_) => HttpResponse::InternalServerError().finish(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn what_is_put_together_of_several_is_described_as_one_and_allows_no_more() {
        let document = serde_json::to_value(Api::openapi()).expect("JSON");
        let room = &document["components"]["schemas"]["Room"];
        let summary = &document["components"]["schemas"]["RoomSummary"];
        let names = |schema: &serde_json::Value| -> BTreeSet<String> {
            schema["properties"].as_object().expect("properties").keys().cloned().collect()
        };
        assert_eq!((&room["type"], &room["additionalProperties"]), (&"object".into(), &false.into()), "{room}");
        let more: Vec<_> = names(room).difference(&names(summary)).cloned().collect();
        assert_eq!((more, names(room).len()), (vec!["members".to_owned()], names(summary).len() + 1), "{room}");
        assert_eq!(room["required"].as_array().map(Vec::len), Some(names(room).len()), "{room}");
    }

    #[test]
    fn the_document_has_every_route_and_no_other() {
        let described: BTreeSet<String> = Api::openapi().paths.paths.into_keys().collect();
        let source = include_str!("routes.rs");
        let spans = source.split('"').filter(|span| span.starts_with("/admin/v1/"));
        let served: BTreeSet<String> =
            spans.filter(|span| !span.ends_with("openapi.json")).map(str::to_owned).collect();
        assert_eq!(described, served);
    }
}
