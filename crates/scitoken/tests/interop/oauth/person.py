"""person.py CA ISSUER USER_CODE (confirm|abort): a person with a browser, for oidc-provider's own pages."""

import html.parser
import http.cookiejar
import ssl
import sys
import urllib.parse
import urllib.request

ca, issuer, code, choice = sys.argv[1:]
browser = urllib.request.build_opener(
    urllib.request.ProxyHandler({}),
    urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=ca)),
    urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()),
)


class Form(html.parser.HTMLParser):
    """The first form of a page."""

    def __init__(self, page):
        super().__init__()
        self.action, self.fields = None, {}
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "form" and self.action is None:
            self.action = attributes.get("action", "")
        if tag == "input" and "name" in attributes:
            self.fields[attributes["name"]] = attributes.get("value", "")
        if tag == "button" and attributes.get("name") == "abort":
            self.fields.setdefault("abort?", attributes.get("value", "yes"))


def visit(url, fields=None):
    data = urllib.parse.urlencode(fields).encode() if fields is not None else None
    try:
        answer = browser.open(urllib.request.Request(url, data=data))
    except urllib.error.HTTPError as error:
        answer = error
    return answer.geturl(), Form(answer.read().decode())


url, form = visit(f"{issuer}/device?user_code={code}")
for _ in range(8):
    if form.action is None:
        break
    target = urllib.parse.urljoin(url, form.action)
    fields = {name: value for name, value in form.fields.items() if name != "abort?"}
    if "user_code" in fields:
        fields["user_code"] = code
    if "login" in fields:
        fields["login"], fields["password"] = "alice", "x"
    if choice == "abort" and "abort?" in form.fields:
        visit(target, {**fields, "abort": form.fields["abort?"]})
        break
    url, form = visit(target, fields)
