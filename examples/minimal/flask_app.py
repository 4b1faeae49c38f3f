from flask import Flask
from cxkit_flask import CXFlask

app = Flask(__name__)
CXFlask(app)


@app.route("/")
def hello_world():
    return "<p>Hello, World!</p>"
