//! What buyers want instead of what comes back, as far as it is looked up outside a transaction.

use kernel::ChannelCode;
use kernel::id::{OrderId, ReturnId};
use store::{Error, Tx};
use web::{Failure, Meta};

use super::App;
use super::orders::origin;
use crate::app::exchange::{self, NewOrder};
use crate::app::place_orders::Place;
use crate::app::references::Needs;
use crate::app::refusal::Refusal;
use crate::domain::form::{ExchangeForm, ReturnForm};
use crate::domain::intake;
use crate::store::code;
use crate::store::orders::{self, OrderRow};

/// Refuses what could not be placed as things are now, before anything comes back for it. An original that is not known is left
/// to the return itself.
pub async fn check(app: &App, meta: &Meta, form: &ReturnForm) -> Result<(), Failure> {
    let Some(wish) = &form.exchange else { return Ok(()) };
    // Whoever says what is wanted says what it costs, as in any order.
    meta.principal.require("order:write")?;
    let (order_id, named) = (form.order_id, form.channel.clone().zip(form.channel_order_no.clone()));
    let original = app.store.read("find_original", move |tx| original(tx, order_id, named)).await?;
    let Some(original) = original else { return Ok(()) };
    meta.principal.require_channel(&code(&original.channel)?)?;
    prepare(app, meta, &original, wish, ReturnId::at(app.store.now())).await?;
    Ok(())
}

fn original(
    tx: &mut Tx<'_>,
    order_id: Option<OrderId>,
    named: Option<(ChannelCode, String)>,
) -> Result<Option<OrderRow>, Error> {
    let id = match (order_id, named) {
        (Some(id), _) => Some(id),
        (None, Some((channel, number))) => {
            let mut found = orders::numbered(tx, &[(channel.as_str(), number.as_str())])?;
            found.remove(&(channel.to_string(), number)).map(|it| OrderId(it.order_id))
        }
        (None, None) => None,
    };
    id.map_or(Ok(None), |id| orders::find(tx, id))
}

/// The order that is placed with the approval of a return; none if nothing is wanted, or it can no longer be approved.
pub async fn of_return(app: &App, meta: &Meta, id: ReturnId) -> Result<Option<Box<NewOrder>>, Failure> {
    let wanted = app.store.read("find_exchange", move |tx| exchange::wanted(tx, id)).await?;
    let Some((original, wish)) = wanted else { return Ok(None) };
    meta.principal.require_channel(&code(&original.channel)?)?;
    let place = prepare(app, meta, &original, &wish, id).await?;
    Ok(Some(Box::new(NewOrder { place, in_force: app.in_force.clone() })))
}

async fn prepare(
    app: &App,
    meta: &Meta,
    original: &OrderRow,
    wish: &ExchangeForm,
    id: ReturnId,
) -> Result<Place, Failure> {
    let now = app.store.now();
    let form = exchange::order_form(original, wish, id, now).map_err(Refusal::from)?;
    let priced = intake::check(&form).map_err(exchange::refused)?;
    let mut needs = Needs::default();
    needs.add_order(&form);
    let known = app.references.find(&needs).await?;
    Ok(exchange::order_of(form, &priced, &known, origin(meta), (id, now))?)
}
