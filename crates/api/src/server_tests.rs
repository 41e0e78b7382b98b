//! The server on real sockets: how many it takes in, and how it ends.

use axum::routing::get;
use tokio::sync::Notify;

use super::*;

const ASK: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";
/// Longer than anything here takes that does not hang.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server for so many connections; its `/` says who asks, and `/slow` waits for the bell.
struct Site {
    address: SocketAddr,
    stop: CancellationToken,
    entered: Arc<Notify>,
    bell: Arc<Notify>,
    serving: tokio::task::JoinHandle<()>,
}

impl Site {
    async fn open(connections_max: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        let (entered, bell) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (comes, rung) = (Arc::clone(&entered), Arc::clone(&bell));
        let slow = move || async move {
            comes.notify_one();
            rung.notified().await;
        };
        let app = Router::new()
            .route("/", get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.to_string() }))
            .route("/slow", get(slow));
        let serving = tokio::spawn(serve(listener, app, connections_max, stop.clone()));
        Self { address, stop, entered, bell, serving }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// A connection that had an answer already.
    async fn idle(&self) -> TcpStream {
        let mut stream = self.connect().await;
        let answer = ask(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.ends_with(&stream.local_addr().unwrap().to_string()), "{answer}");
        stream
    }
}

/// Asks, and reads what comes at once.
async fn ask(stream: &mut TcpStream) -> String {
    stream.write_all(ASK).await.unwrap();
    let mut answer = [0; 4_096];
    let bytes = tokio::time::timeout(PATIENCE, stream.read(&mut answer)).await.unwrap().unwrap();
    String::from_utf8_lossy(&answer[..bytes]).into_owned()
}

/// What comes until the connection is closed.
async fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn who_finds_no_room_is_told_so_and_finds_it_later() {
    let site = Site::open(2).await;
    let (kept, ended) = (site.idle().await, site.idle().await);
    let mut third = site.connect().await;
    third.write_all(ASK).await.unwrap();
    let told = rest(&mut third).await;
    assert!(told.starts_with("HTTP/1.1 503") && told.contains("retry-after: 1\r\n"), "{told}");
    drop(ended);
    tokio::time::timeout(PATIENCE, async {
        loop {
            let mut again = site.connect().await;
            if ask(&mut again).await.starts_with("HTTP/1.1 200") {
                return;
            }
        }
    })
    .await
    .unwrap();
    drop(kept);
}

#[tokio::test]
async fn a_stop_waits_for_answers_and_for_nobody_else() {
    let site = Site::open(8).await;
    let (mut idle, mut silent) = (site.idle().await, site.connect().await);
    let mut asking = site.connect().await;
    asking.write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    site.entered.notified().await;
    site.stop.cancel();
    assert_eq!((rest(&mut idle).await, rest(&mut silent).await), (String::new(), String::new()));
    assert!(!site.serving.is_finished(), "somebody still waits for an answer");
    site.bell.notify_one();
    let answer = rest(&mut asking).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("connection: close"), "{answer}");
    tokio::time::timeout(PATIENCE, site.serving).await.unwrap().unwrap();
    assert!(TcpStream::connect(site.address).await.is_err(), "it still takes connections");
}
