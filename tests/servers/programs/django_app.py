"""A Django project, with the settings that a new one has, that prints what it understood of each request, as a line of
JSON; the first line has its port."""

import json
import logging
import threading

import django
from django.conf import settings
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

output = threading.Lock()


def report(**line):
    with output:
        print(json.dumps(line), flush=True)


@csrf_exempt
def form(request):
    items = request.POST if request.method == "POST" else request.GET
    report(form=list(items.lists()))
    return HttpResponse("ok")


@csrf_exempt
def whole(request):
    report(json=json.loads(request.body))
    return HttpResponse("ok")


@csrf_exempt
def lines(request):
    report(json=[json.loads(line) for line in request.body.decode().split("\n") if line])
    return HttpResponse("ok")


urlpatterns = [path("form", form), path("json", whole), path("lines", lines)]

settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["127.0.0.1"], SECRET_KEY="only a test")
django.setup()
# A line for each request, on stderr.
logging.disable(logging.CRITICAL)
# What `manage.py runserver` runs.
server = ThreadedWSGIServer(("127.0.0.1", 0), WSGIRequestHandler)
server.set_app(get_wsgi_application())
report(port=server.server_port)
server.serve_forever()
