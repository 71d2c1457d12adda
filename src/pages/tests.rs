use std::sync::Mutex;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

/// A server that gives the same answers to each of its callers in turn, and counts them.
struct Web {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Web {
    async fn start(answer: impl Fn(&str) -> String + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let seen = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let mut request = vec![0; 4_096];
                let read = socket.read(&mut request).await.unwrap();
                let request = String::from_utf8_lossy(&request[..read]).into_owned();
                let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
                let answer = answer(&path);
                seen.lock().unwrap().push(request);
                // Whoever has read enough hangs up.
                _ = socket.write_all(answer.as_bytes()).await;
            }
        });
        Self { port, asked }
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

fn page(media_type: &str, text: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-type: {media_type}\r\nconnection: close\r\n\r\n{text}")
}

fn redirect(to: &str) -> String {
    format!(
        "HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    )
}

fn local() -> Pages {
    Pages::new("127.0.0.0/8".parse().unwrap())
}

#[tokio::test]
async fn a_page_is_fetched_once_and_without_secrets() {
    let web = Web::start(|_| page("Text/HTML; charset=utf-8", "<title>hi</title>")).await;
    let pages = local();
    for _ in 0..2 {
        let found = pages.metadata(&web.url("/a#fragment")).await.unwrap();
        assert_eq!(found.title.as_deref(), Some("hi"));
    }
    assert_eq!(web.asked(), 1);
    let request = web.asked.lock().unwrap()[0].to_ascii_lowercase();
    for header in ["cookie", "authorization", "referer"] {
        assert!(!request.contains(header), "{request}");
    }
}

#[tokio::test]
async fn what_is_not_public_is_never_asked() {
    let web = Web::start(|_| page("text/html", "<title>secret</title>")).await;
    let pages = Pages::new(Networks::default());
    let hosts = [
        "127.0.0.1",
        "localhost",
        "0x7f.1",
        "2130706433",
        "0.0.0.0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "017700000001",
        "127.1",
    ];
    for host in hosts {
        let url = format!("http://{host}:{}/", web.port);
        assert_eq!(*pages.metadata(&url).await.unwrap(), PageMetadata::default(), "{host}");
    }
    assert_eq!(web.asked(), 0);
    for url in
        ["http://127.0.0.1/", "http://169.254.169.254/latest/meta-data", "https://localhost/"]
    {
        assert_eq!(*pages.metadata(url).await.unwrap(), PageMetadata::default(), "{url}");
    }
}

#[tokio::test]
async fn redirects_are_followed_a_little_and_checked_each() {
    let inner = Web::start(|_| page("text/html", "<title>inner</title>")).await;
    // To an address that is not named, by a number and by a name.
    let away = format!("http://[::1]:{}/", inner.port);
    let web = Web::start(move |path| match path {
        "/0" => redirect("1"),
        "/1" => redirect("/2"),
        "/2" => redirect("3"),
        "/3" => page("text/html", "<title>end</title>"),
        "/long" => redirect("/0"),
        "/file" => redirect("file:///etc/passwd"),
        _ => redirect(&away),
    })
    .await;
    let pages = local();
    let title = async |path: &str| pages.metadata(&web.url(path)).await.unwrap().title.clone();
    assert_eq!(title("/0").await.as_deref(), Some("end"));
    assert_eq!(title("/long").await, None, "more than three");
    assert_eq!(title("/file").await, None);
    assert_eq!(title("/away").await, None);
    assert_eq!(inner.asked(), 0);
}

#[tokio::test]
async fn only_the_beginning_of_a_page_is_read_and_nothing_else() {
    let web = Web::start(|path| match path {
        "/image" => page("image/png", "<title>no</title>"),
        "/error" => page("text/html", "<title>no</title>").replace("200 OK", "500 Oops"),
        _ => {
            let padding = " ".repeat(PAGE_BYTES_MAX);
            page("text/html", &format!("<title>begin</title>{padding}<link rel=icon href=late>"))
        }
    })
    .await;
    let pages = local();
    assert_eq!(pages.metadata(&web.url("/image")).await.unwrap().title, None);
    assert_eq!(pages.metadata(&web.url("/error")).await.unwrap().title, None);
    let long = pages.metadata(&web.url("/long")).await.unwrap();
    assert_eq!((long.title.as_deref(), long.icon.as_deref()), (Some("begin"), None));
}

#[tokio::test]
async fn what_is_no_address_is_refused() {
    let long = format!("http://a/{}", "x".repeat(URL_BYTES_MAX));
    for raw in ["", "x", "ftp://a/", "file:///etc/passwd", "http://u:p@a/", "http://", &long] {
        let error = local().metadata(raw).await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument, "{raw}");
    }
}
