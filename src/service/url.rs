//! UrlService: what pages say about themselves.

use crate::domain::ctx::Ctx;
use crate::error::Error;
use crate::pages::Pages;
use crate::proto::handlers::roomd_v1_url_service::UrlService;
use crate::proto::roomd::v1;

pub struct UrlHandlers {
    pages: Pages,
}

impl UrlHandlers {
    pub fn new(pages: Pages) -> Self {
        Self { pages }
    }
}

impl UrlService for UrlHandlers {
    async fn get_url_metadata(
        &self,
        ctx: &Ctx,
        request: v1::GetUrlMetadataRequest,
    ) -> Result<v1::GetUrlMetadataResponse, Error> {
        ctx.server_caller()?;
        let page = self.pages.metadata(&request.url).await?;
        let metadata = v1::UrlMetadata {
            title: page.title.clone(),
            description: page.description.clone(),
            image: page.image.clone(),
            icon: page.icon.clone(),
        };
        Ok(v1::GetUrlMetadataResponse { metadata: Some(metadata) })
    }
}
