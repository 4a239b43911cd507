"""The stand-ins on one port of loopback, and the settings that lead a gateway to them."""

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.stand_ins.ebay import CLIENT_ID, CLIENT_SECRET, EbayStandIn
from gateway.stand_ins.faults import Fault, Faults
from gateway.stand_ins.gemini import KEY, GeminiStandIn
from gateway.stand_ins.supabase import SupabaseStandIn


def stand_in_app(
    gemini: GeminiStandIn, ebay: EbayStandIn, supabase: SupabaseStandIn | None = None
) -> Starlette:
    """The services, and PUT /faults/{service}/{fault}, which holds until another is put.

    `service` is gemini, ebay or ebay_tokens; the fault `none` ends the others.
    """
    faults = {"gemini": gemini.faults, "ebay": ebay.faults, "ebay_tokens": ebay.token_faults}

    async def put(request: Request) -> Response:
        return _put(faults, request.path_params["service"], request.path_params["fault"])

    async def ready(_: Request) -> Response:
        return JSONResponse({"stand_ins": sorted(faults)})

    signing = [] if supabase is None else supabase.routes()
    own = [Route("/", ready), Route("/faults/{service}/{fault}", put, methods=["PUT"])]
    return Starlette(routes=[*own, *gemini.routes(), *ebay.routes(), *signing])


def _put(faults: dict[str, Faults], service: str, fault: str) -> Response:
    if service not in faults or fault not in set(Fault):
        known = {"services": sorted(faults), "faults": [*Fault]}
        return JSONResponse(known, status_code=404)
    faults[service].always = Fault(fault)
    return JSONResponse({service: fault})


def settings_for(url: str) -> dict[str, str]:
    """The environment variables that lead a gateway to the stand-ins at `url`."""
    prefix = "VTON_RECOMMENDATIONS__"
    return {
        f"{prefix}ARE_STAND_INS": "true",
        f"{prefix}GEMINI__URL": url,
        f"{prefix}GEMINI__API_KEY": KEY,
        f"{prefix}EBAY__URL": url,
        f"{prefix}EBAY__CLIENT_ID": CLIENT_ID,
        f"{prefix}EBAY__CLIENT_SECRET": CLIENT_SECRET,
        "VTON_SUPABASE__URL": url,
        "VTON_SUPABASE__SECURE_COOKIES": "false",
    }


def run(port: int) -> None:
    """Serve all of them on loopback until asked to end."""
    supabase = SupabaseStandIn(issuer=f"http://127.0.0.1:{port}/auth/v1")
    app = stand_in_app(GeminiStandIn(), EbayStandIn(), supabase)
    uvicorn.run(app, host="127.0.0.1", port=port, access_log=False, log_level="warning")
