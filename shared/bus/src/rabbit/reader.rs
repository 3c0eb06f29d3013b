//! Reading a queue, with acknowledgements.

use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::StreamExt;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Consumer};
use tokio::time::timeout;

use super::{LINK_TIMEOUT, Link};
use crate::transport::{Delivery, Error, Reader};

/// AMQP's code for an orderly end.
const REPLY_SUCCESS: u16 = 200;

pub(super) struct RabbitReader {
    channel: Channel,
    /// None only while the broker is being asked for it.
    consumer: Option<Consumer>,
}

impl RabbitReader {
    pub(super) async fn open(link: &Link, queue: &str, prefetch: u16) -> Result<Self, Error> {
        // The reader is made first: if this is given up halfway, its drop ends what the broker may have begun.
        let mut reader = Self { channel: link.channel().await?, consumer: None };
        let opened = async {
            reader.channel.basic_qos(prefetch, BasicQosOptions::default()).await?;
            let options = BasicConsumeOptions::default();
            reader.channel.basic_consume(queue.into(), "".into(), options, FieldTable::default()).await
        };
        let consumer = timeout(LINK_TIMEOUT, opened)
            .await
            .map_err(|_| Error::Timeout("starting to read"))?
            // Most likely the queue was removed; to declare it again where it was not changes nothing.
            .inspect_err(|_| link.make_stale())?;
        reader.consumer = Some(consumer);
        Ok(reader)
    }

    async fn arrival(&mut self) -> Result<Delivery, Error> {
        let arrived = match &mut self.consumer {
            Some(consumer) => consumer.next().await,
            None => None,
        };
        let delivery = arrived.ok_or_else(|| Error::Unavailable("the broker ended the consumer".to_owned()))??;
        let kind = delivery.routing_key.to_string();
        Ok(Delivery { tag: delivery.delivery_tag, kind, body: delivery.data.into() })
    }
}

impl Reader for RabbitReader {
    fn next(&mut self) -> BoxFuture<'_, Result<Delivery, Error>> {
        Box::pin(self.arrival())
    }

    fn ready(&mut self) -> Result<Option<Delivery>, Error> {
        self.arrival().now_or_never().transpose()
    }

    fn acknowledge(&mut self, through: u64) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async move {
            let options = BasicAckOptions { multiple: true };
            let sent = timeout(LINK_TIMEOUT, self.channel.basic_ack(through, options)).await;
            Ok(sent.map_err(|_| Error::Timeout("taking an acknowledgement"))??)
        })
    }

    fn close(self: Box<Self>) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            if let Ok(Err(error)) = timeout(LINK_TIMEOUT, self.channel.close(REPLY_SUCCESS, "done".into())).await {
                tracing::debug!(%error, "a reader's link was gone before it closed");
            }
        })
    }
}

impl Drop for RabbitReader {
    /// Closes the channel before the client can cancel the consumer, as it does when one is dropped. A cancelled
    /// consumer keeps what it was handed until its channel closes, while the next one already gets what comes after
    /// that; a closed channel gives everything back at once and in order.
    fn drop(&mut self) {
        // The first poll sends the request; nobody waits for the answer. It fails where the channel is closed already.
        let _sent = self.channel.close(REPLY_SUCCESS, "done".into()).now_or_never();
    }
}
