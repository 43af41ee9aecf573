//! What is answered whatever the request asks for: because of its scheme, its method, its form, its origin.
use axum::body::Body;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version, header};

use super::cors::Origins;
use super::problem::Problem;
use super::query;
use crate::config::Cors;

/// The process lives: of this nobody is ever refused an answer.
pub(crate) const ALIVE: &str = "/healthz";

/// What load balancers ask.
pub(crate) fn is_health(path: &str) -> bool {
    path == ALIVE || path == "/readyz"
}

/// How a request came here.
#[derive(Debug, Default)]
pub(crate) struct Arrival {
    /// Without TLS, to a shop that is at home at `https://`.
    pub(crate) plain: bool,
    /// From this machine itself.
    pub(crate) at_this_machine: bool,
    /// From where nobody may come in.
    pub(crate) blocked: Option<Problem>,
}

/// What it takes to be a request at all.
pub(crate) struct Form {
    pub(crate) origins: Origins,
    /// As browsers see it, without a slash at the end.
    public_url: String,
}

impl Form {
    pub(crate) fn new(cors: &Cors, public_url: &str) -> Self {
        let public_url = public_url.trim_end_matches('/').to_owned();
        Self { origins: Origins::new(cors), public_url }
    }

    /// `None`: it is well formed and may go on.
    pub(crate) fn answer<B>(
        &self,
        request: &Request<B>,
        arrival: Arrival,
    ) -> Option<Result<Response<Body>, Problem>> {
        if let Some(problem) = arrival.blocked {
            return Some(Err(problem));
        }
        if arrival.plain && !is_health(request.uri().path()) {
            return Some(self.without_tls(request));
        }
        if matches!(*request.method(), Method::TRACE | Method::CONNECT) {
            let sentence = "this method is not answered anywhere";
            let status = StatusCode::METHOD_NOT_ALLOWED;
            return Some(Err(Problem::new(status, "method_not_allowed", sentence)));
        }
        let hosts = request.headers().get_all(header::HOST).iter().count();
        if hosts > 1 || hosts == 0 && request.version() == Version::HTTP_11 {
            return Some(Err(Problem::not_parsable("a request names exactly one Host")));
        }
        if let Err(problem) = query::check(request.uri().query().unwrap_or_default()) {
            return Some(Err(problem));
        }
        self.origins.preflight(request)
    }

    /// A page is found at `https://`; a program that sends its token in the open is not helped in silence.
    fn without_tls<B>(&self, request: &Request<B>) -> Result<Response<Body>, Problem> {
        let path = request.uri().path();
        let reads = [Method::GET, Method::HEAD].contains(request.method());
        let of_programs = ["/api/", "/users/", "/.well-known/"];
        let program =
            of_programs.iter().any(|start| path.starts_with(start)) && path != "/api/docs";
        let refused =
            || Problem::new(StatusCode::BAD_REQUEST, "https_needed", "call this address by https");
        if !reads || program {
            return Err(refused());
        }
        let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
        let location = HeaderValue::from_str(&format!("{}{target}", self.public_url));
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
        response.headers_mut().insert(header::LOCATION, location.map_err(|_| refused())?);
        Ok(response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(
        request: http::request::Builder,
        plain: bool,
    ) -> Option<Result<(u16, String), String>> {
        let form = Form::new(&Cors::default(), "https://shop.example/");
        let request = request.body(()).unwrap();
        let arrival = Arrival { plain, ..Arrival::default() };
        Some(match form.answer(&request, arrival)? {
            Ok(response) => {
                let location = response.headers().get(header::LOCATION);
                let location = location.map(|v| v.to_str().unwrap().to_owned());
                Ok((response.status().as_u16(), location.unwrap_or_default()))
            }
            Err(problem) => {
                let told = serde_json::to_value(&problem).unwrap();
                Err(format!("{} {}", problem.status(), told["code"].as_str().unwrap()))
            }
        })
    }

    fn get(target: &str) -> http::request::Builder {
        Request::builder().uri(target).header(header::HOST, "shop.example")
    }

    #[test]
    fn what_is_well_formed_goes_on() {
        assert_eq!(answer(get("/api/products?tag=a&tag=b&limit=5"), false), None);
        let old = Request::builder().uri("/").version(Version::HTTP_10);
        assert_eq!(answer(old, false), None);
    }

    #[test]
    fn s26_s33_what_is_not_is_refused() {
        let many = format!("/api/products?{}", "a=1&".repeat(10_000));
        for (request, refusal) in [
            (get("/").method(Method::TRACE), "405 method_not_allowed"),
            (get("/api/products").method(Method::TRACE), "405 method_not_allowed"),
            (get("/").method(Method::CONNECT), "405 method_not_allowed"),
            (Request::builder().uri("/"), "400 not_parsable"),
            (get("/").header(header::HOST, "other.example"), "400 not_parsable"),
            (get("/api/cart?x=1&x=2"), "400 not_parsable"),
            (get(&many), "400 not_parsable"),
        ] {
            assert_eq!(answer(request, false), Some(Err(refusal.to_owned())));
        }
    }

    #[test]
    fn s35_what_came_plain_is_sent_home_or_refused() {
        let home = |target| Some(Ok((308, format!("https://shop.example{target}"))));
        let refused = Some(Err("400 https_needed".to_owned()));
        assert_eq!(answer(get("/"), true), home("/"));
        assert_eq!(answer(get("/api/docs?x=%20"), true), home("/api/docs?x=%20"));
        assert_eq!(answer(get("//evil.example/"), true), home("//evil.example/"));
        assert_eq!(answer(get("/api/products"), true), refused);
        assert_eq!(answer(get("/").method(Method::POST), true), refused);
        assert_eq!(answer(get("/healthz"), true), None);
    }
}
