//! Machine clients.

use std::collections::BTreeSet;

use actix_web::Responder;
use contracts::{Problem, ProblemCode};
use kernel::id::ClientId;
use kernel::{Code, Page};
use serde::{Deserialize, Serialize};
use service::{Answer, write};
use store::{Error, Store};
use utoipa::ToSchema;
use web::{Data, Failure, Json, Meta, Path, Query, answer};

use super::channels::ListQuery;
use crate::app::clients::{Refusal, create_client};
use crate::domain::client::Client;
use crate::domain::secret;
use crate::revoking::Revoker;
use crate::store::clients;

/// A client as it is created.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientBody {
    /// Its id; made when left out.
    client_id: Option<Code>,
    /// What it is for.
    #[schema(example = "Tmall connector")]
    name: String,
    /// `resource:action`, `resource:*` or `*`.
    #[schema(example = json!(["order:write", "order:read"]))]
    permissions: BTreeSet<String>,
    /// The channels it is bound to; left out: all.
    channels: Option<BTreeSet<Code>>,
    /// The locations it is bound to; left out: all.
    locations: Option<BTreeSet<Code>>,
    /// The payees it is bound to; left out: all.
    payees: Option<BTreeSet<Code>>,
}

/// A client as it is read.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ClientView {
    /// Its id.
    client_id: String,
    /// What it is for.
    name: String,
    /// What it may do.
    permissions: BTreeSet<String>,
    /// The channels it is bound to; null: all.
    channels: Option<BTreeSet<Code>>,
    /// The locations it is bound to; null: all.
    locations: Option<BTreeSet<Code>>,
    /// The payees it is bound to; null: all.
    payees: Option<BTreeSet<Code>>,
    /// The secret: shown this once, when the client is created.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<String>,
}

impl ClientView {
    fn new(client: Client, client_secret: Option<String>) -> Self {
        let Client { client_id, name, permissions, channels, locations, payees } = client;
        Self { client_id, name, permissions, channels, locations, payees, client_secret }
    }
}

/// Create a client
///
/// The answer shows the secret once; only its hash is kept. For that reason this request takes no `Idempotency-Key`:
/// name the `client_id` to be safe against repetition.
#[utoipa::path(post, path = "/v1/clients", tag = "gateway", request_body = ClientBody,
    responses((status = 201, body = ClientView), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn create(store: Data<Store>, meta: Meta, body: Json<ClientBody>) -> Result<impl Responder, Failure> {
    if meta.idempotency_key.is_some() {
        // Replaying the answer would mean storing the secret.
        return Err(Problem::new(ProblemCode::InvalidField)
            .field("Idempotency-Key", "is not taken here; name the client_id instead")
            .into());
    }
    let body = body.into_inner();
    let client = Client {
        client_id: body.client_id.map_or_else(|| ClientId::at(store.now()).to_string(), |code| code.to_string()),
        name: body.name,
        permissions: body.permissions,
        channels: body.channels,
        locations: body.locations,
        payees: body.payees,
    };
    refuse_more_than_own(&meta, &client)?;
    let client_secret = secret::generate();
    let text = client_secret.clone();
    let hash = actix_web::web::block(move || secret::hash(&text))
        .await
        .map_err(Failure::internal)?
        .ok_or_else(|| Failure::internal("a secret could not be hashed"))?;
    write(&meta, &store, "create_client", move |tx| -> Result<Answer, Refusal> {
        create_client(tx, &client, &hash)?;
        let location = format!("/v1/clients/{}", client.client_id);
        Ok(Answer::created(&ClientView::new(client, Some(client_secret)), None, location)?)
    })
    .await
}

/// Nobody hands out what they do not have.
fn refuse_more_than_own(meta: &Meta, client: &Client) -> Result<(), Problem> {
    let forbidden = |field: &str, detail: String| Problem::new(ProblemCode::Forbidden).field(field, detail);
    if let Some(excess) = client.permissions.iter().find(|permission| !meta.principal.permissions.allow(permission)) {
        return Err(forbidden("permissions", format!("you do not have `{excess}` yourself")));
    }
    let scopes = [
        ("channels", &meta.principal.channels, &client.channels),
        ("locations", &meta.principal.locations, &client.locations),
        ("payees", &meta.principal.payees, &client.payees),
    ];
    for (field, own, wanted) in scopes {
        let within = match wanted {
            None => matches!(own, web::Scope::All),
            Some(codes) => codes.iter().all(|code| own.contains(code)),
        };
        if !within {
            return Err(forbidden(field, "must lie within your own".to_owned()));
        }
    }
    Ok(())
}

/// Read a client
#[utoipa::path(get, path = "/v1/clients/{client_id}", tag = "gateway", params(("client_id" = String, Path, description = "The client's id")),
    responses((status = 200, body = ClientView), (status = 404, body = Problem)))]
pub async fn get(store: Data<Store>, path: Path<String>) -> Result<impl Responder, Failure> {
    let client_id = path.into_inner();
    let key = client_id.clone();
    let found = store.read("get_client", move |tx| clients::find(tx, &key)).await?;
    let stored = found.ok_or_else(|| Problem::not_found("client", &client_id))?;
    Ok(answer::ok(&ClientView::new(stored.client, None)))
}

/// List clients in the order of their ids
#[utoipa::path(get, path = "/v1/clients", tag = "gateway", params(ListQuery), responses((status = 200, body = Page<ClientView>)))]
pub async fn list(store: Data<Store>, query: Query<ListQuery>) -> Result<impl Responder, Failure> {
    let (limit, after) = query.into_inner().page()?;
    let rows =
        store.read("list_clients", move |tx| clients::list(tx, after.as_deref(), limit.saturating_add(1))).await?;
    let views: Vec<ClientView> = rows.into_iter().map(|stored| ClientView::new(stored.client, None)).collect();
    Ok(answer::ok(&Page::from_rows(views, limit, |view| view.client_id.clone())))
}

/// What removing a client needs.
#[derive(Clone)]
pub struct Remover {
    /// Where the clients are.
    pub store: Store,
    /// Ends their tokens.
    pub revoker: Revoker,
}

/// Remove a client
///
/// Its tokens are refused within a second or two. While the cache is away they stay valid until they expire.
#[utoipa::path(delete, path = "/v1/clients/{client_id}", tag = "gateway", params(("client_id" = String, Path, description = "The client's id")),
    responses((status = 204, description = "It is gone"), (status = 404, body = Problem)))]
pub async fn remove(remover: Data<Remover>, path: Path<String>) -> Result<impl Responder, Failure> {
    let client_id = path.into_inner();
    let key = client_id.clone();
    let removed: Result<bool, Error> =
        remover.store.transact("remove_client", move |tx| clients::remove(tx, &key)).await;
    let removed = removed?;
    // Also where it was gone: the request that removed it may have broken off before this.
    remover.revoker.revoke(&client_id).await;
    if removed { Ok(answer::no_content()) } else { Err(Problem::not_found("client", &client_id).into()) }
}
