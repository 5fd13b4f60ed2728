// Starts ReDoc on /redoc. A file of its own: the page's policy allows no inline script.
Redoc.init("/openapi.json", { hideDownloadButton: false, nativeScrollbars: true }, document.getElementById("redoc"));
