//! A future that has news once in a connection's life, beside one that has them several times for each request.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// Polls its future only after that was woken itself, not whenever the task runs.
pub(super) struct Rarely<F> {
    future: Pin<Box<F>>,
    news: Arc<News>,
    /// What the future is given to wake: the news.
    waker: Waker,
}

struct News {
    woken: AtomicBool,
    task: Mutex<Option<Waker>>,
}

impl<F: Future> Rarely<F> {
    pub(super) fn new(future: F) -> Self {
        let news = Arc::new(News { woken: AtomicBool::new(true), task: Mutex::new(None) });
        Self { future: Box::pin(future), waker: Waker::from(Arc::clone(&news)), news }
    }
}

impl<F: Future> Future for Rarely<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        // The task first: news that come in between wake it.
        this.news.belong_to(cx.waker());
        if !this.news.woken.swap(false, Ordering::AcqRel) {
            return Poll::Pending;
        }
        this.future.as_mut().poll(&mut Context::from_waker(&this.waker))
    }
}

impl News {
    fn belong_to(&self, waker: &Waker) {
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if !task.as_ref().is_some_and(|task| task.will_wake(waker)) {
            *task = Some(waker.clone());
        }
    }
}

impl Wake for News {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(task) = task {
            task.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::atomic::AtomicUsize;

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn it_is_polled_when_it_has_news_and_not_else() {
        let polls = AtomicUsize::new(0);
        let (tell, mut news) = oneshot::channel();
        let counted = poll_fn(|cx| {
            polls.fetch_add(1, Ordering::SeqCst);
            Pin::new(&mut news).poll(cx)
        });
        let mut rarely = Rarely::new(counted);
        for _ in 0..10 {
            let pending = poll_fn(|cx| Poll::Ready(Pin::new(&mut rarely).poll(cx).is_pending()));
            assert!(pending.await);
        }
        assert_eq!(polls.load(Ordering::SeqCst), 1);
        let told = async {
            tokio::task::yield_now().await;
            tell.send(7).unwrap();
        };
        let (news, ()) = tokio::join!(rarely, told);
        assert_eq!(news, Ok(7));
        assert_eq!(polls.load(Ordering::SeqCst), 2);
    }
}
