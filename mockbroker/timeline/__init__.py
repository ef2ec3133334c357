"""What happened, told to people: sentences, rows, pages, and what is probably the matter.

    reading      what a request is about: topics, groups, errors
    sentences    one concise sentence for each request and its answer
    rows         the slice of the history that a failure prints
    plain        an event as plain data, for JSON lines
    page         the whole history as one HTML page
    diagnoses    what is probably the matter, each one function over the evidence
    report       all of it, as a failure prints it

Pure: everything is made from events and other values, changes nothing, and reads no clock.
"""
