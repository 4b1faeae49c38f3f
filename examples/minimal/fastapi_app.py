from cxkit_starlette import CXMiddleware
from fastapi import FastAPI

app = FastAPI()
app.add_middleware(CXMiddleware)


@app.get("/")
async def root():
    return {"message": "Hello World"}
