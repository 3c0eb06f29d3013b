//! Publishing with confirms: many messages on their way, each settled on its own.

use std::collections::{HashSet, VecDeque};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use contracts::envelope::BATCH_MEDIA_TYPE;
use futures_util::future::BoxFuture;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Confirmation, PublisherConfirm};
use tokio::time::{Instant, timeout, timeout_at};

use super::declare::PARTITION_HEADER;
use super::{LINK_TIMEOUT, Link};
use crate::topology::EXCHANGE;
use crate::transport::{Error, Message, Publisher, Settled};

/// AMQP's delivery mode for messages that survive a restart of the broker.
const PERSISTENT: u8 = 2;

pub(super) struct RabbitPublisher {
    link: Arc<Link>,
    channel: Channel,
    service: String,
    confirm_timeout: Duration,
    unsettled: VecDeque<Unsettled>,
    /// Messages that came back; a message leaves this set when it is settled.
    returned: HashSet<i64>,
}

/// A message on its way, in the order of publishing.
struct Unsettled {
    id: i64,
    deadline: Instant,
    answer: Answer,
}

enum Answer {
    Awaited(PublisherConfirm),
    Taken,
    Refused,
}

impl RabbitPublisher {
    pub(super) async fn open(link: Arc<Link>, service: &str, confirm_timeout: Duration) -> Result<Self, Error> {
        let channel = link.channel().await?;
        timeout(LINK_TIMEOUT, channel.confirm_select(ConfirmSelectOptions::default()))
            .await
            .map_err(|_| Error::Timeout("asking for confirms"))??;
        Ok(Self {
            link,
            channel,
            service: service.to_owned(),
            confirm_timeout,
            unsettled: VecDeque::new(),
            returned: HashSet::new(),
        })
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that publishes, used by the relay alone")]
    async fn send(&mut self, message: Message) -> Result<(), Error> {
        if self.link.stale() {
            self.link.connection().await?;
        }
        // A kind that one of ours hears must reach a queue; one that nobody hears is done when the broker has it.
        let options = BasicPublishOptions { mandatory: self.link.topology.hears(&message.kind), immediate: false };
        let mut headers = FieldTable::default();
        headers.insert(PARTITION_HEADER.into(), AMQPValue::LongString(message.partition.to_string().into()));
        let properties = BasicProperties::default()
            .with_content_type(BATCH_MEDIA_TYPE.into())
            .with_delivery_mode(PERSISTENT)
            .with_message_id(message.id.to_string().into())
            .with_app_id(self.service.as_str().into())
            .with_type(message.kind.as_str().into())
            .with_headers(headers);
        let publish =
            self.channel.basic_publish(EXCHANGE.into(), message.kind.into(), options, &message.body, properties);
        let confirm =
            timeout(self.confirm_timeout, publish).await.map_err(|_| Error::Timeout("taking a message"))??;
        let deadline = Instant::now().checked_add(self.confirm_timeout).unwrap_or_else(Instant::now);
        self.unsettled.push_back(Unsettled { id: message.id, deadline, answer: Answer::Awaited(confirm) });
        Ok(())
    }

    /// Looks at every confirm, and then once more at those that had not come.
    ///
    /// The client hands a returned message to whichever confirm comes first after it, not to the message's own, but
    /// never to one that comes after the message's own. So a confirm without a returned message proves that the message
    /// was taken only when all confirms that came before it have been looked at, which the second look does. A confirm
    /// with a returned message proves nothing about its own message, which counts as refused and is sent again.
    fn poll_confirms(&mut self, context: &mut Context<'_>) -> Poll<Result<Vec<Settled>, Error>> {
        self.look(context)?;
        let answered: HashSet<i64> = self
            .unsettled
            .iter()
            .filter(|message| !matches!(message.answer, Answer::Awaited(_)))
            .map(|message| message.id)
            .collect();
        if answered.is_empty() {
            return Poll::Pending;
        }
        self.look(context)?;
        let mut settled = Vec::with_capacity(answered.len());
        self.unsettled.retain(|message| {
            let settles = answered.contains(&message.id);
            if settles {
                let came_back = self.returned.remove(&message.id);
                let taken = matches!(message.answer, Answer::Taken) && !came_back;
                settled.push(Settled { id: message.id, taken });
            }
            !settles
        });
        Poll::Ready(Ok(settled))
    }

    fn look(&mut self, context: &mut Context<'_>) -> Result<(), Error> {
        for message in &mut self.unsettled {
            let Answer::Awaited(confirm) = &mut message.answer else { continue };
            let Poll::Ready(confirmation) = Pin::new(confirm).poll(context) else { continue };
            message.answer = match confirmation? {
                Confirmation::Ack(None) => Answer::Taken,
                Confirmation::Ack(Some(returned)) | Confirmation::Nack(Some(returned)) => {
                    let id: Option<i64> =
                        returned.properties.message_id().as_ref().and_then(|id| id.as_str().parse().ok());
                    tracing::warn!(event.kind = %returned.routing_key, "a message reached no queue; everything is declared again");
                    self.returned.extend(id);
                    self.link.make_stale();
                    Answer::Refused
                }
                Confirmation::Nack(None) | Confirmation::NotRequested => Answer::Refused,
            };
        }
        Ok(())
    }
}

impl Publisher for RabbitPublisher {
    fn publish(&mut self, message: Message) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(self.send(message))
    }

    fn settled(&mut self) -> BoxFuture<'_, Result<Vec<Settled>, Error>> {
        Box::pin(async {
            let Some(first) = self.unsettled.front() else { return std::future::pending().await };
            timeout_at(first.deadline, poll_fn(|context| self.poll_confirms(context)))
                .await
                .map_err(|_| Error::Timeout("confirming a message"))?
        })
    }
}
