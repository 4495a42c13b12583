"""The step that rotates a key and looks at its use."""

from storage.access import api_keys
from tests.integration.plans.growing_world import Sessions


async def rotated_keys(at: Sessions) -> None:
    """Create a key, use it, rotate it, and revoke both."""
    pool, account_id = at.service.api.ctx.pool, at.world.account.id
    old, _ = await api_keys.add_key(pool, account_id, "rotated")
    used = {(account_id, old.id)}
    await api_keys.note_uses(pool, used)
    assert await api_keys.active_keys(pool, used) == used
    assert await api_keys.rotate_key(pool, account_id, old.id, grace_seconds=60) is not None
    found = await api_keys.find_key(pool, account_id, old.id)
    assert found is not None
    assert found.last_used_at is not None
    assert found.replaced_by is not None
    assert await api_keys.revoke_key(pool, account_id, "rotated") is not None
