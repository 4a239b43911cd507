"""The settings of what is recommended, and of the services that help with it."""

from typing import Self

from pydantic import Field, SecretStr, model_validator

from gateway.domain.products import Weights
from gateway.settings.addresses import ServiceUrl
from gateway.settings.section import Section


class ServiceSettings(Section):
    """What holds for the calls to any of them."""

    timeout_s: float = Field(gt=0, description="time for one answer, retries included")
    tries: int = Field(default=3, ge=1, le=5, description="times a call is made at most")
    retry_first_s: float = Field(default=0.25, gt=0, description="pause before the second try")
    retry_longest_s: float = Field(
        default=5.0, gt=0, description="a service that asks for a longer pause is not waited for"
    )
    max_concurrent: int = Field(default=16, ge=1, description="calls under way at once here")
    max_answer_bytes: int = Field(
        default=4 << 20, gt=0, description="answers are read so far, and refused beyond"
    )
    failures: int = Field(default=5, ge=1, description="failures in a row that stop the calls")
    reset_s: float = Field(default=30.0, gt=0, description="pause before one call tries again")


class GeminiSettings(ServiceSettings):
    """Gemini, which looks at the collage."""

    url: ServiceUrl = Field(
        default="https://generativelanguage.googleapis.com", description="address of the service"
    )
    api_key: SecretStr | None = Field(default=None, description="its key (secret)")
    model: str = Field(
        default="gemini-2.5-flash",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$",
        description="name of the model",
    )
    timeout_s: float = Field(
        default=20.0, gt=0, description="time for one answer, retries included"
    )

    @property
    def is_on(self) -> bool:
        """Whether there is a key for it."""
        return self.api_key is not None and bool(self.api_key.get_secret_value())


class EbaySettings(ServiceSettings):
    """eBay's Browse API, where products are looked for."""

    url: ServiceUrl = Field(default="https://api.ebay.com", description="address of the service")
    client_id: str | None = Field(default=None, description="App ID of the application")
    client_secret: SecretStr | None = Field(default=None, description="its Cert ID (secret)")
    marketplace: str = Field(
        default="EBAY_US", pattern=r"^EBAY_[A-Z_]{2,12}$", description="which eBay: EBAY_DE, …"
    )
    affiliate_campaign: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9]{0,64}$",
        description="campaign of the eBay Partner Network; empty: plain links",
    )
    category_id: str = Field(
        default="11450",
        pattern=r"^[0-9]{0,12}$",
        description="category that is searched: clothing, shoes and accessories; empty: all",
    )
    token_margin_s: float = Field(
        default=60.0, ge=0, description="a token is replaced so long before it expires"
    )
    timeout_s: float = Field(
        default=10.0, gt=0, description="time for one answer, retries included"
    )

    @property
    def is_on(self) -> bool:
        """Whether there is an application that may ask it."""
        secret = self.client_secret
        return bool(self.client_id) and secret is not None and bool(secret.get_secret_value())


class RecommendationSettings(Section):
    """What goes with a person's clothes."""

    gemini: GeminiSettings = GeminiSettings()
    ebay: EbaySettings = EbaySettings()
    are_stand_ins: bool = Field(
        default=False, description="both are local stand-ins, and every answer says so"
    )
    max_searches: int = Field(default=5, ge=1, le=10, description="keywords that are searched for")
    fresh_s: float = Field(
        default=3600.0, ge=0, description="how long a repeat is answered from memory"
    )
    stale_s: float = Field(
        default=21_600.0, ge=0, description="how long an answer helps out while a service is away"
    )
    entries: int = Field(default=1000, ge=0, description="answers, and searches, remembered")
    collage_side_px: int = Field(
        default=1536, ge=256, le=4096, description="side of the collage of all pictures"
    )
    weight_relevance: float = Field(default=0.6, ge=0, description="how much it fits the keywords")
    weight_price: float = Field(default=0.2, ge=0, description="how cheap it is beside the others")
    weight_seller: float = Field(default=0.2, ge=0, description="how content the buyers are")

    @property
    def weights(self) -> Weights:
        """How much each side of a product counts."""
        return Weights(self.weight_relevance, self.weight_price, self.weight_seller)

    def secrets(self) -> list[SecretStr | None]:
        """What the log must mask."""
        return [self.gemini.api_key, self.ebay.client_secret]

    @model_validator(mode="after")
    def _counts_something(self) -> Self:
        if not self.weight_relevance + self.weight_price + self.weight_seller:
            raise ValueError("one of the weights must be more than 0")
        return self
