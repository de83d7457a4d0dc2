import enum

import instructor
import openai
from check import BASE, KEY, MODEL, QUESTION, path, report
from pydantic import BaseModel, Field


class Size(str, enum.Enum):
    small = "small"
    large = "large"


class City(BaseModel):
    name: str
    size: Size
    rivers: list[str] = Field(max_length=2)


# Mode.JSON asks for any JSON object and leaves the rest to the model: it says nothing of the server
for mode in (instructor.Mode.TOOLS, instructor.Mode.JSON_SCHEMA):

    @path(mode.name)
    def _(mode=mode):
        client = instructor.from_openai(openai.OpenAI(base_url=BASE, api_key=KEY, max_retries=0), mode=mode)
        city = client.chat.completions.create(
            model=MODEL,
            response_model=City,
            max_retries=1,
            max_tokens=300,
            temperature=0,
            messages=[{"role": "user", "content": QUESTION}],
        )
        assert isinstance(city, City) and city.size in Size


@path("partial, streamed")
def _():
    client = instructor.from_openai(openai.OpenAI(base_url=BASE, api_key=KEY, max_retries=0))
    parts = list(
        client.chat.completions.create_partial(
            model=MODEL, response_model=City, max_retries=1, max_tokens=300, temperature=0, messages=[{"role": "user", "content": QUESTION}]
        )
    )
    assert parts


report()
