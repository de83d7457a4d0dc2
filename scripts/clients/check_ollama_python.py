import asyncio
import json

import ollama
from check import ENCODER, MODEL, QUESTION, URL, path, report, same

client = ollama.Client(host=URL)
ASK = {"model": MODEL, "messages": [{"role": "user", "content": QUESTION}], "options": {"temperature": 0, "num_predict": 16}}


def weather(city: str) -> str:
    """Tells the weather of a city.

    Args:
        city: its name
    """
    return city


@path("chat, whole and streamed")
def _():
    whole = client.chat(**ASK)
    assert whole.done and whole.eval_count <= 16 and whole.total_duration > 0
    same("".join(part.message.content for part in client.chat(**ASK, stream=True)), whole.message.content)


@path("generate, whole and streamed")
def _():
    ask = {"model": MODEL, "prompt": QUESTION, "options": ASK["options"]}
    same("".join(part.response for part in client.generate(**ask, stream=True)), client.generate(**ask).response)


@path("a schema, and tools")
def _():
    schema = {"type": "object", "properties": {"city": {"enum": ["Paris", "Rome"]}}, "required": ["city"]}
    assert json.loads(client.chat(**ASK, format=schema).message.content)["city"] in ("Paris", "Rome")
    assert client.chat(**ASK, tools=[weather]).message is not None


@path("embed")
def _():
    same(len(client.embed(model=ENCODER, input=["a cat", "a dog"]).embeddings), 2)


@path("list, show, ps")
def _():
    assert MODEL in [model.model for model in client.list().models]
    assert "completion" in client.show(MODEL).capabilities
    assert client.ps().models


@path("asynchronous, and errors")
def _():
    async def ask():
        other = ollama.AsyncClient(host=URL)
        assert [part async for part in await other.chat(**ASK, stream=True)][-1].done
        try:
            await other.chat(**{**ASK, "model": "none"})
        except ollama.ResponseError as error:
            same(error.status_code, 404)
        else:
            raise AssertionError("it did not fail")

    asyncio.run(ask())


report()
