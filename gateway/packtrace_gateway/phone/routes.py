"""What the phone page asks beside verdicts, status changes and reports."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.concurrency import run_in_threadpool

from packtrace_gateway.access.guard import require
from packtrace_gateway.access.models import Caller
from packtrace_gateway.bodies import image_body
from packtrace_gateway.gateway import GatewayDependency
from packtrace_gateway.verify.routes import READERS

router = APIRouter(tags=["phone"])
Reader = Annotated[Caller, Depends(require(*READERS))]


@router.get("/place")
def place(gateway: GatewayDependency, caller: Reader) -> dict[str, Any]:
    """Where this gateway is, who asks, and the contracts that it follows. A verifier compares the contracts with the
    network's own deployment file: a dishonest gateway could name others.
    """
    own, deployment = gateway.settings, gateway.deployment
    return {
        "party": own.party,
        "company": own.company,
        "name": own.name,
        "key": {"name": caller.name, "roles": sorted(caller.roles)},
        "deployment": {
            "chainId": deployment.chain_id,
            "block": deployment.block,
            "contracts": {**deployment.contracts},
        },
        "decoder": gateway.decoder.available,
    }


@router.post(
    "/decode", openapi_extra={"requestBody": {"content": {"image/jpeg": {}, "image/png": {}}, "required": True}}
)
async def decode(request: Request, gateway: GatewayDependency, caller: Reader) -> dict[str, Any]:
    """The codes in one JPEG or PNG picture, with all means of the scanner's pipeline: `symbology` (ISO/IEC 15424),
    `text`, and `corners` in pixels. The picture is not kept.
    """
    image, _type = await image_body(request)
    return {"readings": await run_in_threadpool(gateway.decoder.decode, image, caller.key_id)}
