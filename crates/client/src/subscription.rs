//! Interest in markets, and the handle that keeps it.

use std::{fmt, sync::Arc};

use oddswire_model::{Topic, TopicError, View};
use oddswire_session::SubscriptionRequest;
use oddswire_wire::limits::{SUBSCRIPTIONS_MAX, TOPICS_MAX};

use crate::shared::Shared;

/// Which markets are wanted, in which view, and how often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    topics: Vec<String>,
    view: View,
    rate_ms: u32,
}

/// Why there is no subscription.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubscribeError {
    /// A topic is none.
    #[error(transparent)]
    Topic(#[from] TopicError),
    /// Too few or too many topics.
    #[error("a subscription names 1 to {TOPICS_MAX} topics, not {0}; name fewer, or wider ones")]
    Topics(usize),
    /// Too many subscriptions.
    #[error(
        "a client has at most {SUBSCRIPTIONS_MAX} subscriptions; name several topics in one, or drop one"
    )]
    TooMany,
    /// The client is closed.
    #[error("the client is closed; make a new one")]
    Closed,
}

impl Subscription {
    /// Interest in everything that the topics name: `all`, `market/ID`, `fixture/ID`, `competition/ID`, `sport/ID` or
    /// `type/NAME`. In full and at every flush, unless said otherwise.
    pub fn new<T: AsRef<str>>(topics: impl IntoIterator<Item = T>) -> Self {
        let topics = topics.into_iter().map(|topic| topic.as_ref().to_owned()).collect();
        Self { topics, view: View::FULL, rate_ms: 0 }
    }

    /// What part of each market.
    #[must_use]
    pub fn view(mut self, view: View) -> Self {
        self.view = view;
        self
    }

    /// No more than one change per market in this time; 0 for every flush. The gateway takes the nearest rate that is
    /// not faster. Status changes come at once, whatever the rate.
    #[must_use]
    pub fn max_rate_ms(mut self, rate_ms: u32) -> Self {
        self.rate_ms = rate_ms;
        self
    }

    fn request(self) -> Result<SubscriptionRequest, SubscribeError> {
        if self.topics.is_empty() || self.topics.len() > TOPICS_MAX {
            return Err(SubscribeError::Topics(self.topics.len()));
        }
        let topics = self.topics.iter().map(|topic| topic.parse()).collect::<Result<Vec<Topic>, _>>()?;
        Ok(SubscriptionRequest { topics, view: self.view, rate_ms: self.rate_ms })
    }

    pub(crate) fn start(self, shared: &Arc<Shared>) -> Result<SubscriptionHandle, SubscribeError> {
        let request = self.request()?;
        let id = {
            let state = &mut *shared.lock();
            if state.events.is_none() || state.orders.close {
                return Err(SubscribeError::Closed);
            }
            if state.subscriptions >= SUBSCRIPTIONS_MAX {
                return Err(SubscribeError::TooMany);
            }
            state.subscriptions += 1;
            state.last_subscription += 1;
            state.session.subscribe(state.last_subscription, request);
            state.last_subscription
        };
        shared.wake.notify_one();
        Ok(SubscriptionHandle { shared: Arc::clone(shared), id })
    }
}

/// Keeps a subscription for as long as it lives.
#[must_use = "dropping the handle ends the subscription"]
pub struct SubscriptionHandle {
    shared: Arc<Shared>,
    id: u32,
}

impl SubscriptionHandle {
    /// The number by which events name the subscription.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Ends the subscription, as dropping the handle does. Markets that no other one names leave.
    pub fn unsubscribe(self) {}
}

impl Drop for SubscriptionHandle {
    fn drop(&mut self) {
        {
            let mut state = self.shared.lock();
            state.subscriptions -= 1;
            state.session.unsubscribe(self.id);
        }
        self.shared.wake.notify_one();
        self.shared.progress.notify_waiters();
    }
}

impl fmt::Debug for SubscriptionHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubscriptionHandle").field("id", &self.id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_counted_at_the_limit_and_one_past_it() {
        assert!(Subscription::new(vec!["all"; TOPICS_MAX]).request().is_ok());
        for count in [0, TOPICS_MAX + 1] {
            let error = Subscription::new(vec!["all"; count]).request().unwrap_err();
            assert_eq!(error, SubscribeError::Topics(count));
        }
        let error = Subscription::new(["all", "nation/GB"]).request().unwrap_err();
        assert!(matches!(error, SubscribeError::Topic(_)), "{error}");
    }
}
