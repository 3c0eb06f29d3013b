//! Reading a queue, with acknowledgements.

use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::StreamExt;
use lapin::options::{BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Consumer};
use tokio::time::timeout;

use super::{LINK_TIMEOUT, Link};
use crate::transport::{Delivery, Error, Reader};

pub(super) struct RabbitReader {
    channel: Channel,
    consumer: Consumer,
}

impl RabbitReader {
    pub(super) async fn open(link: &Link, queue: &str, prefetch: u16) -> Result<Self, Error> {
        let channel = link.channel().await?;
        let opened = async {
            channel.basic_qos(prefetch, BasicQosOptions::default()).await?;
            let options = BasicConsumeOptions::default();
            channel.basic_consume(queue.into(), "".into(), options, FieldTable::default()).await
        };
        let consumer = timeout(LINK_TIMEOUT, opened)
            .await
            .map_err(|_| Error::Timeout("starting to read"))?
            // Most likely the queue was removed; to declare it again where it was not changes nothing.
            .inspect_err(|_| link.make_stale())?;
        Ok(Self { channel, consumer })
    }
}

type Arrival = Option<Result<lapin::message::Delivery, lapin::Error>>;

fn arrived(arrival: Arrival) -> Result<Delivery, Error> {
    let delivery = arrival.ok_or_else(|| Error::Unavailable("the broker ended the consumer".to_owned()))??;
    let kind = delivery.routing_key.to_string();
    Ok(Delivery { tag: delivery.delivery_tag, kind, body: delivery.data.into() })
}

impl Reader for RabbitReader {
    fn next(&mut self) -> BoxFuture<'_, Result<Delivery, Error>> {
        Box::pin(async { arrived(self.consumer.next().await) })
    }

    fn ready(&mut self) -> Result<Option<Delivery>, Error> {
        self.consumer.next().now_or_never().map(arrived).transpose()
    }

    fn acknowledge(&mut self, through: u64) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async move {
            let options = BasicAckOptions { multiple: true };
            let sent = timeout(LINK_TIMEOUT, self.channel.basic_ack(through, options)).await;
            Ok(sent.map_err(|_| Error::Timeout("taking an acknowledgement"))??)
        })
    }

    /// Cancels before anything is dropped: a consumer cancelled by its drop can take the whole connection with it.
    fn close(self: Box<Self>) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let closed = async {
                self.channel.basic_cancel(self.consumer.tag(), BasicCancelOptions::default()).await?;
                self.channel.close(200, "done".into()).await
            };
            if let Ok(Err(error)) = timeout(LINK_TIMEOUT, closed).await {
                tracing::debug!(%error, "a reader's link was gone before it closed");
            }
        })
    }
}
