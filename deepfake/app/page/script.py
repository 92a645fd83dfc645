"""script: what Streamlit runs for each turn of each session, as if it were the main program."""

if __name__ == "__main__":  # a worker process imports what seems to be its parent's main program: not the page
    from deepfake.app.page.turn import page

    page()
