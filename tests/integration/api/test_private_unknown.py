import json
from api.routes import ROUTES
from tests.integration.api.test_schemathesis import _fill
from tests.integration.api.service import make_client

async def test_x(ctx, session):
    client = await make_client(ctx, session, phone_number_id="106540352242922")
    known = await _fill(client)
    for route in ROUTES:
        if route.public: continue
        path = route.path
        for k, n in {"list_id":"list","label_id":"label","audience_id":"audience","channel_id":"channel","team_id":"team","contact_id":"contact","job_id":"job","name":"property","phone_number_id":"phone_number_id"}.items():
            path = path.replace("{%s}"%k, known[n][0])
        path = path.replace("{operation}", "contacts.upsert")
        kw = {} if route.method in ("GET","DELETE") else {"data": b"{}", "headers": {"Content-Type":"application/json"}}
        a = await client.call(route.method, path+"?nonsense=1", **kw)
        body = a.json if a.body else {}
        params = [e.get("param") for e in body.get("errors", [])] + [body.get("error",{}).get("param")]
        if "nonsense" not in params: print("LENIENT", route.method, route.path, a.status, params)
    # nested unknown
    a = await client.call("PUT", f"/v1/contacts/lists/{known['list'][0]}/contacts", json={"action":"add","contacts":[{"phone":"+14155550123"}],"opt_in_to":[{"id":known["channel"][1],"foo":1}]})
    print(a.status, a.body[:300])
