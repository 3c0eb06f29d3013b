//! Takes orders into the book. Everything that can be worked out beforehand is, so that a batch is a few statements:
//! numbers, lines, events.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use ::store::idempotency::{self, Key, Started, StoredAnswer};
use ::store::{Error, Tx, outbox};
use contracts::Cause;
use contracts::events::{Destination, FulfilmentRequest, OrderLine, OrderPlaced};
use contracts::requests::Address;
use kernel::Timestamp;
use kernel::id::OrderId;
use service::Answer;
use uuid::Uuid;

pub use super::document::Document;
use super::hold_order::held;
pub use super::intake_refusal::Refusal;
use super::judge_orders::{InForce, judge_orders};
use super::references::{Known, Sku};
use super::refusal;
use super::update_orders::{Updated, update_order};
use crate::domain::balance::Balance;
use crate::domain::content::{Content, buyer_digests};
use crate::domain::coupons::CouponForm;
use crate::domain::form::{OrderForm, PaymentForm};
use crate::domain::intake::{self, Priced};
use crate::domain::payment_terms::{PaymentTerms, PaymentTermsForm, Schedule};
use crate::domain::state::OrderStatus;
use crate::settings::Rules;
use crate::store::buyers::Identified;
use crate::store::holds::{self, HoldRow};
use crate::store::lines::LineRow;
use crate::store::orders::{OrderRow, kind_text};
use crate::store::payment_deadlines::DeadlineRow;
use crate::store::payments::PaymentRow;
use crate::store::{buyers, lines, locks, orders, payment_deadlines, payments, to_json_list};

/// Who brings an order.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The client.
    pub client: String,
    /// What its events carry on.
    pub cause: Cause,
    /// The request's idempotency key.
    pub key: Option<Key>,
}

/// An order that is ready to be taken.
#[derive(Clone, Debug)]
pub struct Place {
    /// Its row.
    pub order: OrderRow,
    /// Its lines' rows.
    pub lines: Vec<LineRow>,
    /// Its payments' rows.
    pub payments: Vec<PaymentRow>,
    /// When its buyer has to pay what is due, as the channel says.
    terms: Option<PaymentTermsForm>,
    /// Whether prices hold their tax, as the channel says.
    pub prices_include_tax: Option<bool>,
    /// Whether the tax was told of the whole order.
    pub has_tax: bool,
    /// The answer to be stored with the idempotency key, if there is one.
    pub answer: Option<Arc<Answer>>,
    /// Makes the answer where rules hold it; none where nobody waits for one.
    pub answer_held: Option<AnswerHeld>,
    event: OrderPlaced,
    /// The digests of the buyer's identities.
    digests: Vec<Vec<u8>>,
    cause: Cause,
    key: Option<Key>,
}

/// Makes the answer for an order that was taken and is held, out of its rows and its holds.
pub type AnswerHeld = fn(&OrderRow, &[LineRow], &[HoldRow]) -> Result<Answer, Error>;

/// By what orders are taken.
#[derive(Clone, Debug)]
pub struct Terms {
    /// How money and time work.
    pub rules: Rules,
    /// Which orders are held.
    pub in_force: InForce,
}

/// What became of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placed {
    /// It is in the book now.
    New,
    /// It is in the book now, and rules hold it; the answer, if somebody waits for one.
    Held(Option<Answer>),
    /// It was in the book with the same content.
    Known(OrderId),
    /// The request was answered before.
    Replayed(StoredAnswer),
}

impl Place {
    /// Works out everything of a checked order whose references hold; also what its answer needs beside its rows.
    pub fn new(
        mut form: OrderForm,
        priced: &Priced,
        known: &Known,
        origin: Origin,
        now: Timestamp,
    ) -> Result<(Self, Document), Refusal> {
        let skus = known.order(&form)?;
        let order_id = OrderId::at(now);
        let content = Content::of(&form, &priced.lines).map_err(Error::from)?;
        let rows = line_rows(order_id, &form, priced, &skus)?;
        let event = placed(order_id, &form, priced, &skus);
        let totals = priced.totals;
        let terms = form.payment_terms.map_or(PaymentTerms::Settled, |terms| terms.kind);
        let due = intake::due(&form, totals.total_amount);
        let authorised = intake::authorised(&form);
        let balance = Balance { total: totals.total_amount, due, given_back: 0, waived: 0, authorised };
        let (prices_include_tax, has_tax) = (form.prices_include_tax, form.tax.is_some());
        let digests = buyer_digests(&form.buyer);
        let buyer_key = digests.first().cloned();
        let (channel, currency) = (form.channel.to_string(), form.currency.code().to_owned());
        let (placed_at, channel_updated_at) = (form.placed_at.utc(), form.channel_updated_at.map(Timestamp::utc));
        let channel_order_no = std::mem::take(&mut form.channel_order_no);
        let document = Document::of(form);
        let order = OrderRow {
            order_id: order_id.uuid(),
            channel,
            channel_order_no,
            content: content.0,
            buyer_key,
            placed_at,
            channel_updated_at,
            created_at: now.utc(),
            created_by: origin.client,
            currency,
            list_amount: totals.list_amount,
            discount_amount: totals.discount_amount,
            added_tax_amount: priced.added_tax_amount,
            freight_amount: totals.freight_amount,
            total_amount: totals.total_amount,
            fulfilment_kind: kind_text(document.fulfilment.kind).to_owned(),
            document: serde_json::to_string(&document).map_err(Error::from)?,
            status: OrderStatus::Sourcing.as_str().to_owned(),
            payment_status: balance.status(false).as_str().to_owned(),
            payment_terms: terms.as_str().to_owned(),
            due_amount: balance.due,
            authorised_amount: balance.authorised,
            waived_amount: 0,
            backordered: false,
            unfillable: false,
            disturbed: false,
            held: false,
            changing: None,
            given_back_amount: 0,
            given_back_freight: 0,
            version: 1,
        };
        let payments = payment_rows(&order, document.payments.as_deref().unwrap_or_default());
        let place = Self {
            order,
            digests,
            lines: rows,
            payments,
            terms: document.payment_terms,
            prices_include_tax,
            has_tax,
            answer: None,
            answer_held: None,
            event,
            cause: origin.cause,
            key: origin.key,
        };
        Ok((place, document))
    }

    /// Whether its answer will be stored.
    pub fn has_key(&self) -> bool {
        self.key.is_some()
    }

    /// The identities of its buyer.
    pub fn identified(&self) -> impl Iterator<Item = Identified<'_>> {
        let (order_id, at) = (self.order.order_id, self.order.created_at);
        self.digests.iter().map(move |digest| Identified { digest, order_id, channel: &self.order.channel, at })
    }

    /// Its row where rules hold it.
    fn held(&self) -> OrderRow {
        OrderRow { status: OrderStatus::Held.as_str().to_owned(), held: true, ..self.order.clone() }
    }

    /// Until when it is to be paid, if it waits for that.
    fn deadline(&self, rules: Rules) -> Option<DeadlineRow> {
        let terms = self.terms.as_ref().filter(|_| self.order.awaits_payment())?;
        let schedule = Schedule::of(terms, self.order.created_at.into(), rules.unpaid_expires_after_seconds);
        DeadlineRow::new(self.order.order_id, schedule, self.order.balance().covered())
    }

    fn number(&self) -> (&str, &str) {
        (&self.order.channel, &self.order.channel_order_no)
    }
}

fn line_rows(id: OrderId, form: &OrderForm, priced: &Priced, skus: &[Arc<Sku>]) -> Result<Vec<LineRow>, Error> {
    let mut rows = Vec::with_capacity(form.lines.len());
    for ((line, priced), sku) in form.lines.iter().zip(&priced.lines).zip(skus) {
        rows.push(LineRow {
            order_id: id.uuid(),
            line_no: line.line_no,
            sku: sku.code.to_string(),
            channel_sku: line.channel_sku.as_ref().map(ToString::to_string),
            category: sku.category.clone(),
            components: to_json_list(&sku.components)?,
            quantity: line.quantity.get(),
            unit_price: priced.unit_price,
            own_discount: priced.own_discount,
            list_amount: priced.list_amount,
            discount_amount: priced.discount_amount,
            added_tax_amount: priced.added_tax_amount,
            paid_amount: priced.paid_amount,
            freight_amount: priced.freight_amount,
            extras: (!priced.extras.is_empty()).then(|| serde_json::to_string(&priced.extras)).transpose()?,
            cancelled: 0,
            shipped: 0,
            returned: 0,
            refunded: 0,
            repriced_after: 0,
            repriced_amount: None,
        });
    }
    rows.sort_unstable_by_key(|row| row.line_no);
    Ok(rows)
}

fn payment_rows(order: &OrderRow, payments: &[PaymentForm]) -> Vec<PaymentRow> {
    let row = |(sequence, form)| PaymentRow::new(order.id(), sequence, form, order.created_at.into());
    (1..).zip(payments).map(row).collect()
}

fn placed(order_id: OrderId, form: &OrderForm, priced: &Priced, skus: &[Arc<Sku>]) -> OrderPlaced {
    let line = |((line, priced), sku): ((&crate::domain::form::LineForm, &intake::PricedLine), &Arc<Sku>)| OrderLine {
        line_no: line.line_no,
        sku: sku.code.clone(),
        category: sku.category.clone(),
        quantity: line.quantity,
        list_amount: priced.list_amount,
        discount_amount: priced.discount_amount,
        paid_amount: priced.paid_amount,
        freight_amount: priced.freight_amount,
        coupons: priced.extras.coupons.clone(),
        gift: priced.extras.gift,
        tax_amount: priced.extras.tax_amount,
    };
    OrderPlaced {
        order_id,
        channel: form.channel.clone(),
        channel_order_no: form.channel_order_no.clone(),
        placed_at: form.placed_at,
        currency: form.currency,
        buyer: form.buyer.clone().into(),
        fulfilment: FulfilmentRequest {
            kind: form.fulfilment.kind,
            destination: form.fulfilment.ship_to.as_ref().map(destination),
            location: form.fulfilment.location.clone(),
        },
        lines: form.lines.iter().zip(&priced.lines).zip(skus).map(line).collect(),
        totals: priced.totals,
        parent_order_no: form.parent_order_no.clone(),
        coupons: form.coupons.iter().flatten().map(CouponForm::told).collect(),
        reservation_id: form.reservation_id,
        guide: form.guide.clone(),
        store: form.store.clone(),
    }
}

/// As much of an address as sourcing needs.
pub fn destination(address: &Address) -> Destination {
    Destination {
        country: address.country.clone(),
        province: address.province.clone(),
        city: address.city.clone(),
        point: address.point().ok().flatten(),
    }
}

/// Takes a batch of orders: a constant number of statements, however many there are.
pub fn place_orders(tx: &mut Tx<'_>, commands: &[Place], terms: &Terms) -> Result<Vec<Result<Placed, Refusal>>, Error> {
    let keys: Vec<Option<&Key>> = commands.iter().map(|command| command.key.as_ref()).collect();
    let started = idempotency::begin_batch(tx, &keys)?;
    let mut fresh: Vec<&Place> = commands
        .iter()
        .zip(&started)
        .filter(|(command, started)| is_fresh(command, started, commands))
        .map(|(command, _)| command)
        .collect();
    // Sorted by number, so that two batches with the same numbers wait for each other instead of deadlocking.
    fresh.sort_by_key(|command| command.number());
    let (inserted, held) = insert(tx, &fresh, terms)?;
    let others: Vec<(&str, &str)> = fresh
        .iter()
        .filter(|command| !inserted.contains(&command.order.order_id))
        .map(|command| command.number())
        .collect();
    let mut known = if others.is_empty() { HashMap::new() } else { lock_updated(tx, &fresh, &others)? };
    let mut results = Vec::with_capacity(commands.len());
    let mut stored = Vec::new();
    let mut released = Vec::new();
    for (command, started) in commands.iter().zip(started) {
        let result = match started {
            Started::Replay(answer) => Ok(Placed::Replayed(answer)),
            Started::Reused => Err(Refusal::KeyReused),
            Started::InFlight if !is_fresh(command, &Started::InFlight, commands) => Err(Refusal::KeyReused),
            Started::Fresh | Started::InFlight if inserted.contains(&command.order.order_id) => {
                taken(command, held.get(&command.order.order_id))
            }
            Started::Fresh | Started::InFlight => meet(tx, command, &mut known, terms.rules),
        };
        match (&result, &command.key, &command.answer) {
            (Ok(Placed::New), Some(key), Some(answer)) => stored.push((key, answer.to_stored())),
            (Ok(Placed::Held(Some(answer))), Some(key), _) => stored.push((key, answer.to_stored())),
            (Ok(Placed::Known(_)) | Err(_), Some(key), _) => released.push(key),
            _ => {}
        }
        results.push(result);
    }
    idempotency::finish_batch(tx, &stored.iter().map(|(key, answer)| (*key, answer)).collect::<Vec<_>>())?;
    idempotency::release(tx, &released)?;
    Ok(results)
}

/// Whether the command is to be carried out. The same request twice in one batch is settled by the order's number.
fn is_fresh(command: &Place, started: &Started, commands: &[Place]) -> bool {
    match (started, &command.key) {
        (Started::Fresh, _) => true,
        (Started::InFlight, Some(key)) => commands
            .iter()
            .filter_map(|other| other.key.as_ref())
            .find(|other| other.client == key.client && other.key == key.key)
            .is_some_and(|first| first.fingerprint == key.fingerprint),
        _ => false,
    }
}

/// What became of an order that is new.
fn taken(command: &Place, holds: Option<&Vec<HoldRow>>) -> Result<Placed, Refusal> {
    let Some(holds) = holds else { return Ok(Placed::New) };
    let order = command.held();
    let answer = command.answer_held.map(|answer| answer(&order, &command.lines, holds)).transpose()?;
    Ok(Placed::Held(answer))
}

/// What holds the orders that are held, by order.
type Holds = HashMap<Uuid, Vec<HoldRow>>;

/// Inserts those whose numbers are new, and what rules hold of them; tells of both.
fn insert(tx: &mut Tx<'_>, fresh: &[&Place], terms: &Terms) -> Result<(HashSet<Uuid>, Holds), Error> {
    if fresh.is_empty() {
        return Ok((HashSet::new(), Holds::new()));
    }
    let rows: Vec<&OrderRow> = fresh.iter().map(|command| &command.order).collect();
    let inserted = orders::insert(tx, &rows)?;
    let new: Vec<&Place> = fresh.iter().copied().filter(|command| inserted.contains(&command.order.order_id)).collect();
    let line_rows: Vec<&LineRow> = new.iter().flat_map(|command| &command.lines).collect();
    if !line_rows.is_empty() {
        lines::insert(tx, &line_rows)?;
    }
    let payment_rows: Vec<&PaymentRow> = new.iter().flat_map(|command| &command.payments).collect();
    if !payment_rows.is_empty() {
        payments::insert(tx, &payment_rows)?;
    }
    let due = new.iter().filter_map(|command| command.deadline(terms.rules));
    payment_deadlines::insert(tx, &due.collect::<Vec<_>>())?;
    let holds = judge_orders(tx, &new, &terms.in_force)?;
    buyers::insert(tx, &new.iter().flat_map(|command| command.identified()).collect::<Vec<_>>())?;
    if !holds.is_empty() {
        orders::hold(tx, &holds.keys().copied().collect::<Vec<_>>())?;
        holds::insert(tx, &holds.values().flatten().cloned().collect::<Vec<_>>())?;
    }
    for command in new {
        match holds.get(&command.order.order_id) {
            None => outbox::append(tx, &command.event, &command.cause)?,
            Some(placed) => outbox::append(tx, &held(&command.held(), placed, tx.now())?, &command.cause)?,
        }
    }
    Ok((inserted, holds))
}

/// What is known by these numbers. Orders that are to be updated are locked together, and seen as they are then.
fn lock_updated(
    tx: &mut Tx<'_>,
    fresh: &[&Place],
    numbers: &[(&str, &str)],
) -> Result<HashMap<(String, String), orders::Numbered>, Error> {
    let known = orders::numbered(tx, numbers)?;
    let updated = fresh.iter().filter_map(|command| {
        let (channel, number) = command.number();
        let order = known.get(&(channel.to_owned(), number.to_owned()))?;
        let newer = command.order.channel_updated_at > order.channel_updated_at;
        (newer && order.content != command.order.content).then_some(order.order_id)
    });
    let updated: Vec<Uuid> = updated.collect();
    if updated.is_empty() {
        return Ok(known);
    }
    locks::orders(tx, &updated)?;
    orders::numbered(tx, numbers)
}

/// An order whose number is in the book: the same again, an older state of it, an update, or a contradiction.
fn meet(
    tx: &mut Tx<'_>,
    command: &Place,
    known: &mut HashMap<(String, String), orders::Numbered>,
    rules: Rules,
) -> Result<Placed, Refusal> {
    let (channel, number) = command.number();
    let Some(order) = known.get_mut(&(channel.to_owned(), number.to_owned())) else {
        return Err(Refusal::Store(Error::Conflict("an order with this number is on its way".to_owned())));
    };
    let fields = Content(order.content.clone()).differences(&Content(command.order.content.clone()));
    let order_id = OrderId(order.order_id);
    if fields.is_empty() {
        return Ok(Placed::Known(order_id));
    }
    match command.order.channel_updated_at.map(|sent| order.channel_updated_at.cmp(&Some(sent))) {
        Some(Ordering::Greater) => Ok(Placed::Known(order_id)),
        Some(Ordering::Less) => match update_order(tx, command, (order_id, &fields), &command.cause, rules) {
            Ok(Updated::Done) => {
                order.content.clone_from(&command.order.content);
                order.channel_updated_at = command.order.channel_updated_at;
                Ok(Placed::Known(order_id))
            }
            Ok(Updated::Contradicts(fields)) => Err(Refusal::Contradiction { order_id, fields }),
            Err(refusal::Refusal::Store(error)) => Err(Refusal::Store(error)),
            Err(refusal) => Err(Refusal::Update(refusal)),
        },
        Some(Ordering::Equal) | None => Err(Refusal::Contradiction { order_id, fields }),
    }
}
