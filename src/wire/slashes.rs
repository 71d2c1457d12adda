//! Several slashes in front count as one: base URLs often end in one.

use http::Uri;
use http::uri::PathAndQuery;

/// The address with one slash in front, if it has more.
pub fn collapsed(uri: &Uri) -> Option<Uri> {
    let whole = uri.path_and_query()?.as_str();
    let rest = whole.trim_start_matches('/');
    if whole.len() <= rest.len() + 1 {
        return None;
    }
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(format!("/{rest}")).ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_slashes_in_front_are_collapsed() {
        let uri = |path: &str| Uri::builder().path_and_query(path).build().unwrap();
        let shown = |path: &str| collapsed(&uri(path)).map(|uri| uri.to_string());
        assert_eq!(shown("//a//b?c=//").as_deref(), Some("/a//b?c=//"));
        assert_eq!(shown("///"), Some("/".to_owned()));
        assert_eq!((shown("/a//b"), shown("/"), shown("*")), (None, None, None));
        let whole = collapsed(&"http://h//x".parse().unwrap()).unwrap();
        assert_eq!(whole.to_string(), "http://h/x");
    }
}
